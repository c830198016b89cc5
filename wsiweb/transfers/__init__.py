"""Objects brought from one place to another as jobs: imported, fetched, copied; and removed.

What is only sent stands in `wsiweb.outbox`. These jobs are listed there with the others, but are
done by the process that begins them: one that ends has failed for what it did not come to. Each may
be started again, and then does only the rest.
"""
