"""The playground: a model's every step on a web page, live, and what would be otherwise.

`static/` holds the page: plain ES modules and style sheets, as written, without a build and without
a network. `handlers` answers what the page asks, by `heedful.inspect` alone; it knows no HTTP.
`routes` gives that to the server of `heedful.serve`; `heed play` starts it.

`heedful.inspect.page` puts the modules that show a saved trace into one file.
"""
