"""The dashboard: pages on top of badood, which never imports it.

`main` is the ASGI application, `menu` the list of pages, `state` what a visitor looks at (the only file that touches the session),
`opened` the runs that are read, `server` images by URL, `asking` quick questions to the companion, `workers` the processes beside.
A view is one file with a function `page()`; it begins with `parts.header.page_head`, which returns the run, and holds no method.
"""
