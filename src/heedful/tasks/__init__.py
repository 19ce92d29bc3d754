"""Two tasks beside translation, from nothing to files that `heed train` takes.

`python -m heedful.tasks.normalise` writes dates, times, numbers, measures and sums of money with
their normal forms, `python -m heedful.tasks.g2p` words with their pronunciations; both are the
examples of docs/your-own-task.md.
"""
