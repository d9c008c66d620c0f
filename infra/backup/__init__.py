"""Backup and restore of what the state server holds: jobs, keys, webhooks, uploads' records.

The objects in the storage are not in it: a backup of those is made with the storage's own means.
"""

from infra.backup.errors import BadBackup, NotEmpty
from infra.backup.restore import restore
from infra.backup.take import take

__all__ = ["BadBackup", "NotEmpty", "restore", "take"]
