"""The UNet converted to OpenVINO, in the shape that diffusers' pipeline expects of a UNet."""
import torch

HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class Traceable(torch.nn.Module):
    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, encoder_hidden_states, added_time_ids):
        return self.unet(sample, timestep, encoder_hidden_states, added_time_ids, return_dict=False)[0]


class OpenVinoUnet:
    """Takes a float32 `unet`, of which it keeps only what the pipeline looks at."""

    def __init__(self, unet, shape, dtype, threads):
        """`shape`: [B, F, 8, h, w] of the input."""
        import openvino

        batch, width = shape[0], unet.config.cross_attention_dim
        example = (torch.randn(shape), torch.tensor(1.0), torch.randn(batch, 1, width), torch.ones(batch, 3))
        with torch.no_grad():
            model = openvino.convert_model(Traceable(unet), example_input=example,
                                           input=[list(tensor.shape) for tensor in example])
        self.config, self.add_embedding = unet.config, unet.add_embedding
        self.compiled = openvino.Core().compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": HINTS[dtype], "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1})

    def __call__(self, sample, timestep, encoder_hidden_states, added_time_ids, return_dict):
        assert not return_dict
        inputs = (sample, timestep, encoder_hidden_states, added_time_ids)
        result = self.compiled([value.float().contiguous().numpy() for value in inputs])[0]
        return (torch.from_numpy(result).to(sample.dtype),)
