"""The page that shows a trace: plain ES modules and one style sheet in `static/`, as written.

`heedful.inspect.page` puts them all into one file; they ask no network and need no build.
"""
