"""Modules of plugins as texts: a transform, and the ways in which a module can be broken."""


def transform(name, constructor="def __init__(self): super().__init__()", before=""):
    """A plugin with one transform, T(p) = p + θ."""
    return (
        f"import torch, stnkit\n{before}\n"
        "class Shift(stnkit.TransformFamily):\n"
        "    n_params = 2\n"
        f"    {constructor}\n"
        "    def identity(self): return torch.zeros(2, dtype=torch.float64)\n"
        "    def forward(self, theta, points): return points + theta[:, None]\n"
        "@stnkit.hookimpl\n"
        f"def stnkit_components(): return [stnkit.Component('{name}', Shift)]\n"
    )


def hook(body, name="stnkit_components()", before=""):
    return f"import stnkit\n{before}\n@stnkit.hookimpl\ndef {name}:\n    {body}\n"


def configurable(parameters, before=""):
    return lambda name: transform(name, f"def __init__(self, {parameters}): super().__init__()", before)


ALLOWED = "expected bool, int, float, str, Path, Enum, Literal, and lists"
# Case: the module of the plugin `transform.NAME`, given NAME; what the reason says.
MODULES = {
    "import_error": (lambda name: "import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
    "syntax_error": (lambda name: "def (:", "SyntaxError: invalid syntax"),
    "error_on_import": (lambda name: "raise ValueError('two\\nlines')", "ValueError: two lines"),
    "exit_on_import": (lambda name: "import sys; sys.exit(3)", "SystemExit: 3"),
    "base_exception": (lambda name: "class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
    "exception_in_the_hook": (lambda name: hook("raise KeyError('lost')"), "KeyError: 'lost'"),
    "exception_on_the_way": (
        lambda name: transform(name) + "    yield stnkit.Component('x', int)",
        "IndentationError",
    ),
    "hook_returns_one_component": (
        lambda name: transform(name).replace("[stnkit", "stnkit").replace("Shift)]", "Shift)"),
        "stnkit_components returns an object of Component; it must yield something, or return a list",
    ),
    "hook_returns_text": (
        lambda name: hook("return 'affine'"),
        "stnkit_components returns an object of str; it must yield something, or return a list",
    ),
    "hook_returns_nothing": (lambda name: hook("pass"), "stnkit_components returns None"),
    "misspelt_hook": (
        lambda name: hook("return []", "stnkit_component()"),
        "unknown hook 'stnkit_component'; the hooks are stnkit_components, stnkit_callbacks",
    ),
    "wrong_argument_of_a_hook": (lambda name: hook("return []", "stnkit_components(config)"), "Argument.*config"),
    "hook_without_its_mark": (
        lambda name: transform(name).replace("@stnkit.hookimpl\n", ""),
        "stnkit_components is not marked with @stnkit.hookimpl",
    ),
    "no_hook": (lambda name: "import stnkit", "implements no hook of stnkit"),
    "no_component": (lambda name: hook("return [7]"), "expected a stnkit.Component, got 7"),
    "no_class": (lambda name: hook("return [stnkit.Component('x', 7)]"), "expected a class, got 7"),
    "no_base_class": (
        lambda name: hook("return [stnkit.Component('x', int)]"),
        "derives from no base class of stnkit",
    ),
    "bad_name": (
        lambda name: hook("return [stnkit.Component('a b', int)]"),
        "expected the name of a component to be a letter",
    ),
    "open_abstract_method": (
        lambda name: hook("return [stnkit.Component('x', Half)]", before="class Half(stnkit.Sampler): pass"),
        "Half does not implement forward",
    ),
    "newer_api": (lambda name: "stnkit_api = 99\n" + transform(name), "plugin API 99.*install a newer stnkit"),
    "older_api": (lambda name: "stnkit_api = 0\n" + transform(name), "plugin API 0.*install a newer plugin"),
    "no_api": (lambda name: "stnkit_api = '1.0'\n" + transform(name), "stnkit_api: expected a whole number, got '1.0'"),
    "tensor": (configurable("kernel: torch.Tensor"), f"parameter kernel .*: {ALLOWED}.*, got the type Tensor"),
    "list_of_tensors": (
        configurable("x: list[torch.Tensor]"),
        f"parameter x .*: {ALLOWED}.*, got the type list.torch.Tensor.",
    ),
    "module": (configurable("inner: stnkit.Sampler"), f"parameter inner .*: {ALLOWED}.*, got the type Sampler"),
    "function": (
        configurable("f: Callable[[int], int]", "from collections.abc import Callable"),
        f"parameter f .*: {ALLOWED}.*, got the type Callable",
    ),
    "args": (configurable("*shapes"), r"parameter \*shapes of its constructor cannot be set by a config"),
    "kwargs": (configurable("a: int = 1, **more"), r"parameter \*\*more of its constructor cannot be set by a config"),
    "positional_only": (configurable("radius: float, /"), "parameter radius .* is positional only"),
    "unresolvable": (
        configurable("radius: float = 1.0, shape: 'Shape' = 1"),
        "annotation 'Shape' of the parameter shape .* cannot be resolved: name 'Shape' is not defined",
    ),
    "default_of_no_yaml": (configurable("x=torch.zeros(2)"), f"parameter x .*: {ALLOWED}.*, got the default tensor"),
    "default_of_another_type": (
        configurable("radius: float = None"),
        "parameter radius .*: expected float, got the default None",
    ),
    "parameter_called_name": (configurable("name: str = 'x'"), "parameter name .* needs another name"),
    "parameter_called_defaults": (configurable("defaults: int = 1"), "parameter defaults .* needs another name.*Hydra"),
    "default_of_an_interpolation": (
        configurable("text: str = '${seed}'"),
        r"parameter text .*: expected no text that Hydra resolves, as \$\{…\}, got the default '\$\{seed\}'",
    ),
    "default_that_is_missing": (configurable("texts: tuple[str, ...] = ('a', '???')"), "expected no text that Hydra"),
    "name_of_a_value": (
        lambda name: hook("return [stnkit.Component('True', int)]"),
        "name of a component to be none of true, false, null, nan, inf, which Hydra reads as values, got 'True'",
    ),
    "no_type_at_all": (configurable("radius: 3.0 = 3.0"), "parameter radius .*: expected 3.0, got the default 3.0"),
}
