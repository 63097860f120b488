"""The control-room console: an HTTP layer on stored runs, and the pages built from ``web/``.

Imports FastAPI and uvicorn (extra ``console``); nothing else of the package imports this part but the command line, and
the figures their map's `aurigrid.console.layout`, which needs neither.
"""
