// The benchmarks, in a module of their own so that who imports asyncio does not inherit what they need.
module github.com/seed-a026a017/asyncio/bench

go 1.26

require (
	github.com/seed-a026a017/asyncio v0.0.0
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/seed-a026a017/asyncio => ../
