"""What lets a variable be written like an array: Python's operators, indexing, methods, and NumPy's functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetti.model.graph import Node

Unary = Callable[[Any], "Node"]
Binary = Callable[[Any, Any], "Node"]
Axis = int | tuple[int, ...] | None


def _binary(name: str) -> tuple[Binary, Binary]:
    def forward(self, other):
        return _build().apply(name, self, other)

    def backward(self, other):
        return _build().apply(name, other, self)

    return forward, backward


def _unary(name: str) -> Unary:
    return lambda self: _build().apply(name, self)


def _build() -> Any:
    """The functions that make nodes; imported late because nodes are built on this class."""
    from finetti.model import build

    return build


class Operators:
    """Operators and array methods of a node; each returns a new node and computes nothing."""

    __array_priority__ = 1000
    __pandas_priority__ = 5000  # above DataFrame's 4000: a Series or DataFrame on the left leaves the operator to us

    __add__, __radd__ = _binary("add")
    __sub__, __rsub__ = _binary("subtract")
    __mul__, __rmul__ = _binary("multiply")
    __truediv__, __rtruediv__ = _binary("true_divide")
    __floordiv__, __rfloordiv__ = _binary("floor_divide")
    __mod__, __rmod__ = _binary("remainder")
    __pow__, __rpow__ = _binary("power")
    __matmul__, __rmatmul__ = _binary("matmul")
    __and__, __rand__ = _binary("logical_and")
    __or__, __ror__ = _binary("logical_or")
    __lt__, _ = _binary("less")
    __le__, _ = _binary("less_equal")
    __gt__, _ = _binary("greater")
    __ge__, _ = _binary("greater_equal")
    __eq__, _ = _binary("equal")  # type: ignore[assignment]
    __ne__, _ = _binary("not_equal")  # type: ignore[assignment]
    __neg__ = _unary("negative")
    __invert__ = _unary("logical_not")
    __abs__ = _unary("abs")
    __hash__ = object.__hash__

    shape: tuple[int, ...]

    def __pos__(self) -> Operators:
        return self

    def __getitem__(self, index: Any) -> Node:
        return _build().getitem(self, index)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar variable has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Node]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        raise TypeError(
            "A variable of a model is neither true nor false while the model is written: "
            "use `np.where(condition, a, b)` in place of `if`, and `&`, `|`, `~` in place of `and`, `or`, `not`."
        )

    def __float__(self) -> float:
        raise TypeError(
            "A variable of a model has no value of its own while the model is written; `sample` gives it values."
        )

    __int__ = __index__ = __float__  # type: ignore[assignment]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(
            "A variable of a model cannot become a NumPy array: it has no value while the model is written. "
            "NumPy functions work on variables (`np.exp(x)`, `np.stack([a, b])`); for the product of a pandas "
            "DataFrame with a variable write `math.dot(frame, x)` or `frame.to_numpy() @ x`; for any other function "
            "of arrays use `finetti.wrap`."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            raise TypeError(f"np.{ufunc.__name__}.{method} with {options or 'these arguments'} is not supported.")
        return _build().numpy_ufunc(ufunc.__name__, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _build().numpy_function(function.__name__, function.__module__)(*args, **kwargs)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Sum over `axis` (all axes by default)."""
        return _build().sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Mean over `axis` (all axes by default)."""
        return _build().mean(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Product over `axis` (all axes by default)."""
        return _build().prod(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Largest element along `axis` (of all by default)."""
        return _build().max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Smallest element along `axis` (of all by default)."""
        return _build().min(self, axis=axis, keepdims=keepdims)

    def std(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Standard deviation along `axis`, divided by n as NumPy does."""
        return _build().std(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Variance along `axis`, divided by n as NumPy does."""
        return _build().var(self, axis=axis, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Node:
        """Cumulative sum along `axis` (of the flattened array by default)."""
        return _build().cumsum(self, axis=axis)

    def dot(self, other: Any) -> Node:
        """Matrix product with `other`."""
        return _build().dot(self, other)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Whether all elements along `axis` are true (of all by default)."""
        return _build().all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Whether any element along `axis` is true (of all by default)."""
        return _build().any(self, axis=axis, keepdims=keepdims)

    def clip(self, a_min: Any = None, a_max: Any = None) -> Node:
        """The elements held between two bounds; None leaves a side open."""
        return _build().clip(self, a_min, a_max)

    def squeeze(self, axis: Axis = None) -> Node:
        """Without the axes of length one (or without `axis`)."""
        return _build().squeeze(self, axis=axis)

    def reshape(self, *shape: Any) -> Node:
        """The same elements in another shape."""
        return _build().reshape(self, shape[0] if len(shape) == 1 else shape)

    def flatten(self) -> Node:
        """All elements on one axis."""
        return _build().reshape(self, (-1,))

    ravel = flatten

    @property
    def T(self) -> Node:
        """The axes in reverse order."""
        return _build().transpose(self)

    def transpose(self, *axes: Any) -> Node:
        """The axes in another order (reversed by default)."""
        return _build().transpose(self, axes or None)
