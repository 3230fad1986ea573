module github.com/seed-a026a017/asyncio

go 1.26
