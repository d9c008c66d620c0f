"""What code and its tests may take. The parent reads it too."""

from infra.confine import Limits

MIB = 1024 * 1024

SECONDS = 10.0  # of wall clock, beside everything else that the machine does
LIMITS = Limits(memory_bytes=512 * MIB, processor_seconds=4, written_bytes=64 * 1024)
SCRIPT_MEMORY_BYTES = 128 * MIB  # of JavaScript, within that
SCRIPT_STACK_BYTES = MIB
