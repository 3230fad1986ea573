package asyncio

type Server struct{}
