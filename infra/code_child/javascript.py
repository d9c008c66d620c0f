"""JavaScript, in an interpreter within this process that has no modules, files, timers or network at all.

Imported before the process is confined.
"""

import json

import quickjs

from infra.code_child.limits import SCRIPT_MEMORY_BYTES, SCRIPT_STACK_BYTES

HELPERS = """
globalThis.equal = (a, b) => {
  if (Object.is(a, b) || a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  return Array.isArray(a) === Array.isArray(b) && keys.length === Object.keys(b).length
    && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
};
"""
"""`equal(a, b)`, for tests: whether two values are the same through and through."""


def run(code: str, tests: list[str]) -> list[bool]:
    """Which tests pass: scripts whose last value is neither false nor a like of it, or undefined, as after a
    statement; and that throw nothing."""
    context = quickjs.Context()
    context.set_memory_limit(SCRIPT_MEMORY_BYTES)
    context.set_max_stack_size(SCRIPT_STACK_BYTES)
    try:
        context.eval(HELPERS)
        context.eval(code)
    except (quickjs.JSException, quickjs.StackOverflow):
        return [False] * len(tests)
    return [_passes(context, test) for test in tests]


def _passes(context: quickjs.Context, test: str) -> bool:
    try:
        return bool(context.eval(f"(() => {{ const it = (0, eval)({json.dumps(test)});"
                                 " return it === undefined || Boolean(it); })()"))  # fmt: skip
    except (quickjs.JSException, quickjs.StackOverflow):
        return False
