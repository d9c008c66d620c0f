"""Functions that everybody writes once. All are seen in training; no figure counts them."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pipelines.training.snippets.tasks import PYTHON


@dataclass(frozen=True)
class Classic:
    """A function that is written one way. `sort` tells what its arguments are, a letter each."""

    label: str
    arguments: tuple[str, ...]
    says: tuple[str, ...]
    python: str
    javascript: str
    sort: str  # n a small number, m any number, t a text, l a list of numbers, s a sorted list
    pieces: int = 1

    @property
    def key(self) -> str:
        return f"classic {self.label}"

    @property
    def hints(self) -> tuple[str, ...]:
        return tuple({"t": "str", "l": "list[int]", "s": "list[int]"}.get(one, "int") for one in self.sort)

    @property
    def returns(self) -> str:
        return "bool" if self.label.startswith("is_") else "str" if "text" in self.label else "int"

    def phrase(self, dice: random.Random) -> str:
        names = dict(enumerate(self.arguments))
        return dice.choice(self.says).format(*names.values())

    def order(self, dice: random.Random) -> str:
        return ""

    def body(self, language: str, dice: random.Random) -> list[str]:
        return (self.python if language == PYTHON else self.javascript).strip("\n").split("\n")

    def inputs(self, dice: random.Random) -> list[Any]:
        return [_argument(one, dice) for one in self.sort]


def _argument(sort: str, dice: random.Random) -> Any:
    match sort:
        case "n":
            return dice.randint(1, 12)
        case "m":
            return dice.randint(1, 2100)
        case "t":
            return dice.choice(
                ("level", "hello", "Noon", "a", "abc cba", "radar", "tree", "listen", "silent")
            )
        case _:
            found = [dice.randint(-20, 40) for _ in range(dice.randint(1, 8))]
            return sorted(found) if sort == "s" else found


ALL = (
    Classic("factorial", ("n",), ("the factorial of {0}", "{0} factorial"), """
result = 1
for i in range(2, n + 1):
    result *= i
return result""", """
let result = 1;
for (let i = 2; i <= n; i++) {
  result *= i;
}
return result;""", "n"),
    Classic("fibonacci", ("n",), ("the {0}-th Fibonacci number", "the nth number of Fibonacci"), """
a, b = 0, 1
for _ in range(n):
    a, b = b, a + b
return a""", """
let [a, b] = [0, 1];
for (let i = 0; i < n; i++) {
  [a, b] = [b, a + b];
}
return a;""", "n"),
    Classic("gcd", ("a", "b"), ("the greatest common divisor of {0} and {1}",), """
while b:
    a, b = b, a % b
return a""", """
while (b) {
  [a, b] = [b, a % b];
}
return a;""", "mm"),
    Classic("is_prime", ("n",), ("whether {0} is a prime number", "whether {0} is prime"), """
if n < 2:
    return False
for i in range(2, int(n ** 0.5) + 1):
    if n % i == 0:
        return False
return True""", """
if (n < 2) {
  return false;
}
for (let i = 2; i * i <= n; i++) {
  if (n % i === 0) {
    return false;
  }
}
return true;""", "m"),
    Classic("is_palindrome", ("text",), ("whether {0} is a palindrome", "whether {0} reads the same backwards"),
            "return text == text[::-1]", 'return text === [...text].reverse().join("");', "t"),
    Classic("reverse_text", ("text",), ("{0} reversed", "the text written backwards", "the reverse of {0}"),
            "return text[::-1]", 'return [...text].reverse().join("");', "t"),
    Classic("is_even", ("n",), ("whether {0} is even",), "return n % 2 == 0", "return n % 2 === 0;", "m"),
    Classic("is_odd", ("n",), ("whether {0} is odd",), "return n % 2 == 1", "return n % 2 === 1;", "m"),
    Classic("is_leap_year", ("year",), ("whether {0} is a leap year",),
            "return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)",
            "return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);", "m"),
    Classic("celsius_to_fahrenheit", ("celsius",), ("the temperature in Fahrenheit", "{0} in degrees Fahrenheit"),
            "return celsius * 9 / 5 + 32", "return celsius * 9 / 5 + 32;", "n"),
    Classic("fahrenheit_to_celsius", ("fahrenheit",), ("the temperature in Celsius", "{0} in degrees Celsius"),
            "return (fahrenheit - 32) * 5 / 9", "return (fahrenheit - 32) * 5 / 9;", "n"),
    Classic("clamp", ("x", "low", "high"), ("{0} limited to between {1} and {2}", "{0} clamped to {1} and {2}"),
            "return max(low, min(x, high))", "return Math.max(low, Math.min(x, high));", "nnn"),
    Classic("power", ("base", "exponent"), ("{0} to the power of {1}", "{0} raised to {1}"),
            "return base ** exponent", "return base ** exponent;", "nn"),
    Classic("circle_area", ("radius",), ("the area of a circle of that radius",),
            "return 3.141592653589793 * radius ** 2", "return Math.PI * radius ** 2;", "n"),
    Classic("rectangle_area", ("width", "height"), ("the area of a rectangle",),
            "return width * height", "return width * height;", "nn"),
    Classic("greeting_text", ("name",), ("a greeting for {0}", "a text that greets {0}"),
            'return f"Hello, {name}!"', "return `Hello, ${name}!`;", "t"),
    Classic("fizzbuzz_text", ("n",), ("Fizz, Buzz, FizzBuzz or the number for {0}", "the FizzBuzz word of {0}"), """
if n % 15 == 0:
    return "FizzBuzz"
if n % 3 == 0:
    return "Fizz"
if n % 5 == 0:
    return "Buzz"
return str(n)""", """
if (n % 15 === 0) {
  return "FizzBuzz";
}
if (n % 3 === 0) {
  return "Fizz";
}
if (n % 5 === 0) {
  return "Buzz";
}
return String(n);""", "m"),
    Classic("binary_search", ("numbers", "target"), ("the position of {1} in a sorted list, or -1",), """
low, high = 0, len(numbers) - 1
while low <= high:
    middle = (low + high) // 2
    if numbers[middle] == target:
        return middle
    if numbers[middle] < target:
        low = middle + 1
    else:
        high = middle - 1
return -1""", """
let [low, high] = [0, numbers.length - 1];
while (low <= high) {
  const middle = Math.floor((low + high) / 2);
  if (numbers[middle] === target) {
    return middle;
  }
  if (numbers[middle] < target) {
    low = middle + 1;
  } else {
    high = middle - 1;
  }
}
return -1;""", "sn"),
    Classic("running_totals", ("numbers",), ("the running totals of the numbers", "the cumulative sums of a list"), """
total = 0
totals = []
for number in numbers:
    total += number
    totals.append(total)
return totals""", """
let total = 0;
const totals = [];
for (const number of numbers) {
  total += number;
  totals.push(total);
}
return totals;""", "l"),
    Classic("bubble_sort", ("numbers",), ("the numbers sorted by bubble sort",), """
numbers = list(numbers)
for i in range(len(numbers)):
    for j in range(len(numbers) - 1 - i):
        if numbers[j] > numbers[j + 1]:
            numbers[j], numbers[j + 1] = numbers[j + 1], numbers[j]
return numbers""", """
const list = [...numbers];
for (let i = 0; i < list.length; i++) {
  for (let j = 0; j < list.length - 1 - i; j++) {
    if (list[j] > list[j + 1]) {
      [list[j], list[j + 1]] = [list[j + 1], list[j]];
    }
  }
}
return list;""", "l"),
    Classic("is_anagram", ("first", "second"), ("whether {0} and {1} have the same letters",
                                                "whether {0} is an anagram of {1}"),
            "return sorted(first) == sorted(second)",
            'return [...first].sort().join("") === [...second].sort().join("");', "tt"),
    Classic("is_sorted", ("numbers",), ("whether the numbers are in ascending order", "whether a list is sorted"),
            "return all(a <= b for a, b in zip(numbers, numbers[1:]))",
            "return numbers.every((x, i) => i === 0 || numbers[i - 1] <= x);", "l"),
)  # fmt: skip


def draw(dice: random.Random) -> Classic:
    return dice.choice(ALL)
