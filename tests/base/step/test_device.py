"""Devices by name, with an error where there is none."""

import platform
import resource

import pytest
import torch

from base import distributed
from base.step.device import (
    fast_precision,
    keep_freed_memory,
    resolve_device,
    return_freed_memory,
)
from utils.checks import UserError


def test_auto_takes_the_best_device_of_the_machine(monkeypatch):
    for cuda, mps, expected in [(0, 0, "cpu"), (0, 1, "mps"), (1, 1, "cuda"), (1, 0, "cuda")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: bool(there))
        monkeypatch.setattr(torch.cuda, "device_count", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: bool(there))
        assert resolve_device("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps:1", ""])
def test_unknown_device_is_refused_with_the_names_of_known_devices(name):
    with pytest.raises(UserError, match="auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


def test_absent_device_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"'cuda:1': this PyTorch .* sees no CUDA device"):
        resolve_device("cuda:1")
    with pytest.raises(UserError, match="'mps': this PyTorch"):
        resolve_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UserError, match="cuda:0 to cuda:1"):
        resolve_device("cuda:2")


def test_each_of_several_processes_has_a_device_of_its_own(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda:1")
    assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="cannot share a device: auto, cpu or cuda"):
        resolve_device("cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="sees 1 CUDA devices for 2 processes"):
        resolve_device("auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")


@pytest.mark.parametrize(
    ("avx", "amx", "capability", "expected"),
    [
        (False, False, "AVX512", "float32"),
        (True, False, "AVX512", "bfloat16"),
        (False, True, "AVX512", "bfloat16"),
        (True, True, "AVX2", "float32"),
    ],
)
def test_a_cpu_without_instructions_for_bfloat16_takes_float32(
    monkeypatch, avx, amx, capability, expected
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert fast_precision(torch.device("cpu")) == expected
    assert fast_precision(torch.device("mps")) == "float32"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: avx)
    assert fast_precision(torch.device("cuda")) == ("bfloat16" if avx else "float32")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_kept_for_the_next_step_of_a_training_and_returned_of_a_page():
    def pages_faulted(size):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(size)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    keep_freed_memory()
    size = 10_000_000  # 40 MB, 10,000 pages; the C library keeps at most 32 MB by itself
    for _ in range(20):  # until as much is kept as may be
        pages_faulted(size)
    assert pages_faulted(size) < 100
    return_freed_memory()
    assert all(pages_faulted(5 * size) > 1000 for _ in range(3))  # more than is kept by now
