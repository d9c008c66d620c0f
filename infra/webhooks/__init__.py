"""Webhooks: telling an owner's own server that a job has ended, surely and signed.

A transition that ends a job writes its message into the outbox in the same script (`infra/jobs/lua`).
Dispatchers take due messages, sign them as Standard Webhooks 1.0 says, and send them until the receiver
answers 2xx or the schedule is over. See docs/webhooks.md.
"""
