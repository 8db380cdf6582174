"""Leadership: of the state services on one database, one is active and the others stand by.

In comes the lease row of the database, seen again and again. `lease` decides who may take it over
and when; `process` tells whether the process that holds it lives; `election` takes it, renews it
and gives it up; `follower` lets a standby see how the stream is. `governance.store.fence` holds
every write to it.
"""
