"""Object code becomes functions that Python can call: by LLVM's linker alone, without numba.

What a kernel's code calls are functions of Python, of the C library and of numba's modules in C,
which are loaded by their files; all have the names that numba gives them, and what numba makes of
code from its cache in `numba.core` is made of it here.
"""

__all__ = ["Code", "link", "names_of"]

import builtins
import ctypes
import struct
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, NamedTuple

from heedful.kernels.kinds import Kinds
from heedful.kernels.resident import let_go_of_code
from heedful.kernels.stamp import EXTENSIONS, extension

_SYMBOLS, _UNDEFINED = 2, 0
"""Of ELF: a section of symbols, and where one is that is defined elsewhere."""


class Code(NamedTuple):
    """A kernel's object code, for arguments of some types."""

    name: str
    takes: Kinds
    wrapper: str
    """The function in it that Python calls."""
    environment: str
    """The variable in it that the wrapper finds Python's side in."""
    needs: Sequence[str]
    """Names of what is defined elsewhere."""
    object: bytes


def names_of(code: bytes) -> tuple[set[str], set[str]]:
    """Return what object code defines, and what it needs; raises ValueError unless it is ELF64."""
    if code[:6] != b"\x7fELF\x02\x01":
        raise ValueError("this is no object file of a kind that is known here")
    (begin,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, begin + n * size) for n in range(count)]
    defined, needed = set[str](), set[str]()
    for _, kind, _, _, start, length, names, _, _, step in sections:
        for at in range(start, start + length, step) if kind == _SYMBOLS else ():
            name, _, _, where = struct.unpack_from("<IBBH", code, at)
            first = sections[names][4] + name
            into = needed if where == _UNDEFINED else defined
            into.add(code[first : code.index(b"\0", first)].decode())
    return defined - {""}, needed - {""}


def link(codes: Sequence[Code]) -> list[Callable[..., Any]]:
    """Return a function for each; it does not look at the types of what it is given.

    Raises ImportError, OSError, RuntimeError or AttributeError where that cannot be done.
    """
    from llvmlite import binding

    binding.check_jit_execution()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    helpers, dynamic, runtime = map(_loaded, EXTENSIONS)
    runtime.memsys_use_cpython_allocator()
    binding.add_symbol("_Py_NoneStruct", id(None))
    for known in (helpers.c_helpers, dynamic.c_helpers):
        for name, address in known.items():
            binding.add_symbol(f"numba_{name}", address)
    for name, address in runtime.c_helpers.items():
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
    needs = {name for code in codes for name in code.needs}
    for name in needs:
        _find(binding, name, helpers.c_helpers)
    engine = _engine(binding)  # the first lets LLVM see what is in this process
    missing = sorted(name for name in needs if not binding.address_of_symbol(name))
    if missing:  # LLVM would end the process
        raise OSError(f"these are not there: {missing}")
    engines = [engine, *(_engine(binding) for _ in codes[1:])]
    functions = [_function(binding, *pair, dynamic) for pair in zip(engines, codes, strict=True)]
    let_go_of_code()
    return functions


def _loaded(name: str) -> Any:
    """Return one of numba's modules in C, from its file; nothing else of the package is run."""
    if name in sys.modules:
        return sys.modules[name]
    path = str(extension(name))
    spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop(name, None)  # who imports numba later finds nothing begun
    return module


def _find(binding: Any, name: str, mathematics: dict[str, int]) -> None:
    """Name an exception of Python or a function of the C library as numba does."""
    if name.startswith("PyExc_"):
        binding.add_symbol(name, id(getattr(builtins, name.removeprefix("PyExc_"))))
    elif name in mathematics:
        binding.add_symbol(name, mathematics[name])


def _engine(binding: Any) -> Any:
    """Return a linker for one kernel: parts of two may have the same name, and not be the same."""
    module = binding.parse_assembly("")
    module.triple = binding.get_process_triple()
    target = binding.Target.from_triple(module.triple)
    placed = "static" if module.triple.startswith("x86") else "default"
    machine = target.create_target_machine(opt=0, reloc=placed, codemodel="jitdefault", jit=True)
    return binding.create_mcjit_compiler(module, machine)


def _function(binding: Any, engine: Any, code: Code, dynamic: Any) -> Callable[..., Any]:
    engine.add_object_file(binding.ObjectFileRef.from_data(code.object))
    engine.finalize_object()
    environment = dynamic.Environment({"__name__": __name__})
    address = engine.get_global_value_address(code.environment)
    ctypes.c_void_p.from_address(address).value = id(environment)
    function: Callable[..., Any] = dynamic.make_function(
        sys.modules[__name__],
        code.name,
        f"The kernel {code.name!r}.",
        engine.get_function_address(code.wrapper),
        environment,
        (engine,),  # what must live as long as the function
    )
    return function
