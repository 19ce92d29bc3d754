"""OpenAI's dialect: `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models/...`.

`asked` and `parameters` say what a request may hold, `wishes` turns it into what the models are
asked, `answers` and `streams` write what they say, `routes` is given to `heedful.serve.app`.
"""
