"""Export to ONNX, by converters for skl2onnx (optional)."""

from skmtl.onnx._register import register_converters, to_onnx

__all__ = ["register_converters", "to_onnx"]
