"""The server: one model or several, over HTTP, for many clients at once.

Requests come in through `guard` (limits, origins, bodies), are answered by `native` or
`libretranslate`, and meet in the `batcher` of a model, where those that wait share batches.
`heed serve` starts it; needs the extra `serve`.
"""
