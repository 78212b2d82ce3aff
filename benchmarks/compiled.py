"""Would a compiler or another library be faster on what lies between two norms?

    pip install openvino onnxruntime onnx
    OMP_NUM_THREADS=1 python benchmarks/compiled.py

One part of a residual block (scale and shift, ReLU, 3x3 each channel by itself, 1x1 across) at the
five sizes of a strip of 512 x 1,600 pixels, one thread, in turns; best of 25 calls. Inductor needs
a C++ compiler. What was found: arms.md, "Compilers"."""

import copy
import time
from collections import defaultdict

import onnxruntime
import openvino
import torch
import torch.nn.functional as F
from torch import nn

SIZES = (32, 256, 800), (64, 128, 400), (128, 64, 200), (192, 32, 100), (256, 16, 50)
ONNX = "part.onnx"


class Part(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale, self.shift = (nn.Parameter(torch.rand(1, channels, 1, 1)) for _ in range(2))
        self.each = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.across = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x):
        return self.across(self.each(F.relu(torch.addcmul(self.shift, x, self.scale))))


def of_openvino(part, x, precision):
    model = openvino.convert_model(copy.deepcopy(part), example_input=x)
    model.reshape(list(x.shape))
    how = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(model, "CPU", how).create_infer_request()
    request.set_input_tensor(openvino.Tensor(x.contiguous().numpy(), shared_memory=True))
    return request.infer


def of_onnx(part, x):
    torch.onnx.export(copy.deepcopy(part), (x.contiguous(),), ONNX, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(ONNX, options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: x.contiguous().numpy()}
    return lambda: session.run(None, given)


@torch.inference_mode()
def main():
    torch.set_num_threads(1)
    total_s = defaultdict(float)
    for channels, rows, columns in SIZES:
        x = torch.randn(1, channels, rows, columns).to(memory_format=torch.channels_last)
        part = Part(channels).eval().to(memory_format=torch.channels_last)
        half, y = copy.deepcopy(part).bfloat16(), x.bfloat16()
        torch._dynamo.reset()
        fast, fast_half = (torch.compile(copy.deepcopy(it)) for it in (part, half))
        calls = {
            "PyTorch, float32": lambda part=part, x=x: part(x),
            "PyTorch, bf16": lambda half=half, y=y: half(y),
            "Inductor, float32": lambda fast=fast, x=x: fast(x),
            "Inductor, bf16": lambda fast=fast_half, y=y: fast(y),
            "OpenVINO, float32": of_openvino(part, x, "f32"),
            "OpenVINO, bf16": of_openvino(part, x, "bf16"),
            "ONNX Runtime, float32": of_onnx(part, x),
        }
        best_s = dict.fromkeys(calls, float("inf"))
        for _ in range(25):
            for name, call in calls.items():
                start = time.perf_counter()
                call()
                best_s[name] = min(best_s[name], time.perf_counter() - start)
        for name, seconds in best_s.items():
            total_s[name] += seconds
    for name, seconds in total_s.items():
        by_torch = total_s[f"PyTorch, {name.partition(', ')[2]}"]
        print(f"{name}: {1e3 * seconds:.1f} ms, {by_torch / seconds:.2f} of PyTorch's speed")


if __name__ == "__main__":
    main()
