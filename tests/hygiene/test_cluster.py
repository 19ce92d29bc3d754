"""The files of docs/cluster.md are valid: read by a shell, by YAML, and their words by heed."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

from heedful.cli import arguments
from heedful.commands import train
from heedful.config import merged
from heedful.recipes import tiny

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "cluster.md").read_text("utf-8")


def file(language: str) -> str:
    """Return the one block in this language."""
    (block,) = [part.partition("\n```")[0] for part in TEXT.split(f"```{language}\n")[1:]]
    return block


def understood(line: str) -> None:
    """Parse what follows `-m heedful train` as the command line does, settings and all."""
    words = shlex.split(line.partition("-m heedful train ")[2])
    options, settings = arguments("train", train, [word for word in words if "resume" not in word])
    merged(tiny(), settings)
    assert options.data
    assert options.out


def test_slurm() -> None:
    script = file("slurm")
    assert script.startswith("#!/bin/bash\n#SBATCH ")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    understood(script.replace("\\\n", " ").strip().splitlines()[-1])


def test_kubernetes() -> None:
    job: dict[str, Any] = yaml.safe_load(file("yaml"))
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    worker = job["spec"]["pytorchReplicaSpecs"]["Worker"]
    elastic = job["spec"]["elasticPolicy"]
    assert elastic["minReplicas"] == elastic["maxReplicas"] == worker["replicas"]
    pod = worker["template"]["spec"]
    (container,) = pod["containers"]
    assert container["name"] == "pytorch"  # the operator looks for this name
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }
    assert str(container["resources"]["limits"]["nvidia.com/gpu"]) == job["spec"]["nprocPerNode"]
    (script,) = container["args"]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    understood(script)
