"""Prints the test functions of CPython's asyncio that docs/peers.md goes by: file, class
and function, in their order. Run it with the CPython whose tests are meant, 3.13 so far:

    python3 tests/tidy/testdata/peers.py > tests/tidy/testdata/peers.txt
"""

import ast
import pathlib
import test.test_asyncio

FILES = ["test_streams", "test_server", "test_events", "test_unix_events", "test_sock_lowlevel", "test_sendfile", "test_subprocess",
         "test_ssl", "test_sslproto"]


def functions(body, cls=None):
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node.body, node.name)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if cls and node.name.startswith("test"):
                yield cls, node.name
        else:  # if and try, which hold those of some platforms
            for part in ("body", "orelse", "finalbody"):
                yield from functions(getattr(node, part, []), cls)


directory = pathlib.Path(test.test_asyncio.__file__).parent
for name in FILES:
    source = (directory / (name + ".py")).read_text(encoding="utf-8")
    for cls, function in functions(ast.parse(source).body):
        print(name + ".py", cls, function)
