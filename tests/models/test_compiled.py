"""torch.compile on the layers: compiled once for all lengths, with the same numbers.

Run in a process of its own, without the shape checks of the other tests, which cannot be compiled.
A backend that changes nothing stands for the compiler: what is tested is what it is given.
"""

import subprocess
import sys

SCRIPT = """
import torch
from heedful.models.seq2seq import forward
from heedful.models.transformer import TransformerConfig

graphs = []
def backend(graph, example):
    graphs.append(graph)
    return graph.forward

config = TransformerConfig(
    d_model=20, d_ff=28, n_heads=2, encoder_layers=3, decoder_layers=3, dropout=0.1
)
shapes = [(8, 8, 8), (5, 8, 16), (3, 24, 8), (9, 16, 16), (2, 40, 32), (4, 104, 96), (6, 32, 40)]

def batch(rows, source, target):
    torch.manual_seed(rows)
    made = torch.randint(4, 30, (rows, source)), torch.randint(4, 30, (rows, target))
    for side in made:
        side[1:, -3:] = 0
    return made

for bf16 in (False, True):
    torch.compiler.reset()
    graphs.clear()
    model = config.build(30, 30).train()
    model.compile_layers(backend=backend)
    for shape in shapes:
        source, target = batch(*shape)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            forward(model, source, source != 0, target).float().sum().backward()
    # One for the three layers of the encoder, one for the decoder's.
    assert len(graphs) == 2, len(graphs)

torch.compiler.reset()
plain, compiled = config.build(30, 30).eval(), config.build(30, 30).eval()
compiled.load_state_dict(plain.state_dict())
compiled.compile_layers(backend=backend)
for shape in shapes[:3]:
    source, target = batch(*shape)
    one, other = (forward(model, source, source != 0, target) for model in (plain, compiled))
    torch.testing.assert_close(one, other)
before = len(graphs)
for shape in shapes[:3]:
    source, target = batch(*shape)
    memory = plain.encode(source, source != 0)
    both = [model.hidden_and_scores(target, memory, 1, 1) for model in (plain, compiled)]
    torch.testing.assert_close(*both)
assert len(graphs) == before + 1, (before, len(graphs))  # the layer that tells its scores
with torch.compiler.set_stance("force_eager"):
    before = len(graphs)
    forward(compiled, source[:2, :7], source[:2, :7] != 0, target[:2, :5])
    assert len(graphs) == before
assert list(compiled.state_dict()) == list(plain.state_dict())
print("once")
"""


def test_layers_are_compiled_once_for_all_lengths() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "once\n"
