#!/usr/bin/env python3
"""Writes the goldens of Tests/CheckpointTests/Fixtures that published models' own code makes: transformers' models, small
and at random, saved by transformers itself, so that names, layouts and config.json are those of real checkpoints.

    python3 -m venv .build/goldens && .build/goldens/bin/pip install torch transformers safetensors numpy
    .build/goldens/bin/python scripts/make-goldens.py [NAME...]

Each NAME.safetensors holds the tensors of one feed-forward layer under their published names, `input`, and `output`:
float64 arithmetic on the float32 weights, rounded once. The metadata holds `config`, the config.json to put beside it,
`f32_max_abs_err`, how far PyTorch's own float32 result lies from `output`, and `prefix`. Mixtures have `router_indices`
and `router_weights` as well. `mxfp4` and `f8` hold what a packed layer's weights decode to.

`mixture_gradients` writes Tests/InferenceAPITests/Fixtures/NAME.safetensors: what autograd finds for the mixtures of
Tests/FeedForwardTests/Fixtures, in float64, of the sum of `output` times `grad_output`: `grad_input` and, under the names of
POST /v1/ffn/gradient, the gradients of the router, the shared expert and the expert that most rows go to.
"""

import copy
import json
import pathlib
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

TESTS = pathlib.Path(__file__).resolve().parent.parent / "Tests"
FOLDER = TESTS / "CheckpointTests/Fixtures"
ROWS = 5
MAKERS = {}


def maker(function):
    MAKERS[function.__name__] = function
    return function


def generator(seed):
    return torch.Generator().manual_seed(seed)


def eager(config):
    """The other implementations of experts know no float64."""
    config._experts_implementation = "eager"
    return config


def filled(module, seed):
    """Every parameter and floating buffer at random, of the order of 1/sqrt(fan-in)."""
    eager(module.config)
    numbers = generator(seed)
    with torch.no_grad():
        for name, tensor in sorted([*module.named_parameters(), *module.named_buffers()]):
            if not tensor.is_floating_point() or "rotary" in name or "inv_freq" in name:
                continue
            fan = tensor.shape[-1] if tensor.ndim > 1 else 4
            tensor.copy_(torch.randn(tensor.shape, generator=numbers) * fan**-0.5 + (1 if "norm" in name else 0))
    return module.eval()


def published(model, prefixes):
    """The tensors as transformers writes them to disk, and config.json."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = {}
        for shard in sorted(pathlib.Path(folder).glob("*.safetensors")):
            tensors.update(load_file(shard))
        config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith(tuple(prefixes))}
    assert kept, sorted(tensors)[:40]
    return kept, config


def write(name, tensors, config, prefix, error, **extra):
    tensors = {
        key: tensor.detach().to(torch.float32) if tensor.dtype == torch.float64 else tensor.detach()
        for key, tensor in tensors.items()
    }
    save_file(
        {key: tensor.contiguous().clone() for key, tensor in tensors.items()}, FOLDER / f"{name}.safetensors",
        metadata={"config": json.dumps(config), "f32_max_abs_err": repr(error), "prefix": prefix,
                  "torch": torch.__version__, "transformers": transformers.__version__, **extra})
    print(name, f"{error:.2e}", {key: list(tensor.shape) for key, tensor in tensors.items()})


def both(module, call, rows):
    """What `call` returns in float64, and how far float32 is from it."""
    with torch.no_grad():
        single = call(module, rows)
        double = call(copy.deepcopy(module).double(), rows.double())
    return double, float((single.double() - double).abs().max())


def tensor_of(result):
    return result[0] if isinstance(result, tuple) else result


def mixture(name, model, prefixes, call, routes, width, seed):
    rows = torch.randn(ROWS, width, generator=generator(seed))
    tensors, config = published(model, prefixes)
    output, error = both(model, call, rows)
    with torch.no_grad():
        indices, weights = routes(model, rows)
    write(name, {**tensors, "input": rows, "output": output, "router_indices": indices, "router_weights": weights},
          config, prefixes[0], error)


SMALL = dict(vocab_size=8, num_attention_heads=4, num_key_value_heads=4, num_hidden_layers=1,
             max_position_embeddings=16, pad_token_id=0, bos_token_id=1, eos_token_id=2)


def dbrx(name, norm, seed):
    config = transformers.DbrxConfig(
        d_model=48, n_heads=4, n_layers=1, max_seq_len=16, vocab_size=8,
        attn_config=dict(kv_n_heads=4, clip_qkv=8.0, rope_theta=10000.0),
        ffn_config=dict(ffn_hidden_size=40, moe_num_experts=6, moe_top_k=3, moe_normalize_expert_weights=norm))
    model = filled(transformers.DbrxForCausalLM(config), seed)

    def routes(model, rows):
        ffn = model.transformer.blocks[0].ffn
        weights, indices = ffn.route_tokens_to_experts(ffn.router(rows[None]))
        return indices, weights

    mixture(name, model, ["transformer.blocks.0.ffn."],
            lambda model, rows: model.transformer.blocks[0].ffn(rows[None])[0], routes, 48, seed + 1)


@maker
def dbrx_moe():
    dbrx("dbrx_moe", 1.0, 11)


@maker
def dbrx_moe_unnormalised():
    dbrx("dbrx_moe_unnormalised", None, 13)


def granite(name, config, model_class, seed, shared):
    model = filled(model_class(config), seed)

    def call(model, rows):
        layer = model.model.layers[0]
        output = tensor_of(layer.block_sparse_moe(rows[None]))
        return (output + layer.shared_mlp(rows[None]) if shared else output)[0]

    def routes(model, rows):
        _, weights, indices = model.model.layers[0].block_sparse_moe.router(rows)
        return indices, weights

    prefixes = ["model.layers.0.block_sparse_moe."] + (["model.layers.0.shared_mlp."] if shared else [])
    mixture(name, model, prefixes, call, routes, 48, seed + 1)


EXPERTS = dict(hidden_size=48, intermediate_size=40, num_local_experts=6, num_experts_per_tok=3)


@maker
def granitemoe():
    granite("granitemoe", transformers.GraniteMoeConfig(**SMALL, **EXPERTS), transformers.GraniteMoeForCausalLM, 21,
            False)


@maker
def granitemoeshared():
    config = transformers.GraniteMoeSharedConfig(**SMALL, **EXPERTS, shared_intermediate_size=56)
    granite("granitemoeshared", config, transformers.GraniteMoeSharedForCausalLM, 23, True)


@maker
def granitemoehybrid():
    config = transformers.GraniteMoeHybridConfig(
        **SMALL, **EXPERTS, shared_intermediate_size=56, layer_types=["attention"], mamba_n_heads=4, mamba_d_head=24)
    granite("granitemoehybrid", config, transformers.GraniteMoeHybridForCausalLM, 25, True)


@maker
def jetmoe():
    small = {key: value for key, value in SMALL.items() if key != "num_attention_heads"}
    model = filled(transformers.JetMoeForCausalLM(transformers.JetMoeConfig(**small, **EXPERTS, kv_channels=12)), 31)

    def routes(model, rows):
        logits = model.model.layers[0].mlp.router.layer(rows)
        values, indices = logits.topk(3, dim=-1)
        return indices, values.softmax(-1)

    mixture("jetmoe", model, ["model.layers.0.mlp."],
            lambda model, rows: tensor_of(model.model.layers[0].mlp(rows[None]))[0], routes, 48, 32)


@maker
def bitnet():
    config = transformers.BitNetConfig(**SMALL, hidden_size=48, intermediate_size=72)
    model = filled(transformers.BitNetForCausalLM(config), 41)
    rows = torch.randn(ROWS, 48, generator=generator(42))
    tensors, written = published(model, ["model.layers.0.mlp."])
    seen = {}

    def call(model, rows):
        mlp = model.model.layers[0].mlp
        norm = mlp.ffn_sub_norm
        if rows.dtype == torch.float64:
            # The module's own forward goes through float32.
            norm.forward = lambda x: torch.nn.functional.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)
        norm.register_forward_hook(lambda module, arguments, output: seen.update(hidden=output))
        return mlp(rows)

    output, error = both(model, call, rows)
    write("bitnet", {**tensors, "input": rows, "output": output, "hidden": seen["hidden"]}, written,
          "model.layers.0.mlp.", error)


@maker
def dinov2():
    config = transformers.Dinov2Config(hidden_size=48, num_hidden_layers=1, num_attention_heads=4, image_size=14,
                                       patch_size=14, mlp_ratio=4, use_swiglu_ffn=True)
    model = filled(transformers.Dinov2Model(config), 51)
    rows = torch.randn(ROWS, 48, generator=generator(52))
    module = next(part for _, part in model.named_modules() if type(part).__name__ == "Dinov2SwiGLUFFN")
    tensors, written = published(model, ["encoder.layer.0.mlp."])
    output, error = both(module, lambda module, rows: module(rows), rows)
    write("dinov2", {**tensors, "input": rows, "output": output}, written, "encoder.layer.0.mlp.", error)


def deepseek_v2(name, seed, **routing):
    config = transformers.DeepseekV2Config(
        **SMALL, hidden_size=48, intermediate_size=56, moe_intermediate_size=40, n_routed_experts=8,
        n_shared_experts=2, num_experts_per_tok=3, routed_scaling_factor=1.5, first_k_dense_replace=0,
        kv_lora_rank=8, q_lora_rank=8, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8, **routing)
    model = filled(transformers.DeepseekV2ForCausalLM(config), seed)

    def routes(model, rows):
        _, weights, indices = model.model.layers[0].mlp.gate(rows)
        return indices, weights

    mixture(name, model, ["model.layers.0.mlp."], lambda model, rows: model.model.layers[0].mlp(rows[None])[0],
            routes, 48, seed + 1)


@maker
def deepseek_v2_moe():
    deepseek_v2("deepseek_v2_moe", 61, topk_method="greedy")


@maker
def deepseek_v2_moe_groups():
    deepseek_v2("deepseek_v2_moe_groups", 63, topk_method="group_limited_greedy", n_group=4, topk_group=2)


@maker
def lfm2_moe():
    config = transformers.Lfm2MoeConfig(
        **SMALL, hidden_size=48, intermediate_size=56, moe_intermediate_size=40, num_experts=8, num_experts_per_tok=3,
        num_dense_layers=0, layer_types=["full_attention"], routed_scaling_factor=1.25)
    model = filled(transformers.Lfm2MoeForCausalLM(config), 71)

    def routes(model, rows):
        block = model.model.layers[0].feed_forward
        _, weights, indices = block.gate(rows, block.expert_bias)
        return indices, weights

    mixture("lfm2_moe", model, ["model.layers.0.feed_forward."],
            lambda model, rows: model.model.layers[0].feed_forward(rows[None])[0], routes, 48, 72)


@maker
def gpt_oss_mxfp4():
    """Random blocks, decoded by transformers' own integration, applied by its own experts."""
    experts, width, d_ff = 4, 64, 96
    config = transformers.GptOssConfig(
        **SMALL, hidden_size=width, intermediate_size=d_ff, num_local_experts=experts, num_experts_per_tok=2)
    model = filled(transformers.GptOssForCausalLM(config), 81)
    numbers = generator(82)
    packed = {}
    prefix = "model.layers.0.mlp."
    for part, rows, columns in [("gate_up_proj", 2 * d_ff, width), ("down_proj", width, d_ff)]:
        blocks = torch.randint(0, 256, (experts, rows, columns // 32, 16), generator=numbers, dtype=torch.uint8)
        scales = torch.randint(119, 125, (experts, rows, columns // 32), generator=numbers, dtype=torch.uint8)
        packed[f"{prefix}experts.{part}_blocks"], packed[f"{prefix}experts.{part}_scales"] = blocks, scales
        decoded = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
        getattr(model.model.layers[0].mlp.experts, part).data.copy_(decoded)
    tensors, written = published(model, [prefix])
    plain = {key: value for key, value in tensors.items() if not key.endswith(("gate_up_proj", "down_proj"))}
    rows = torch.randn(ROWS, width, generator=generator(83))

    def call(model, rows):
        return tensor_of(model.model.layers[0].mlp(rows[None]))[0]

    output, error = both(model, call, rows)
    written["quantization_config"] = {"quant_method": "mxfp4"}
    write("gpt_oss_mxfp4", {**plain, **packed, "input": rows, "output": output}, written, prefix, error)


@maker
def llama_f8():
    """A layer whose blocks of 128 x 128 are scaled to the range of F8_E4M3, as DeepSeek V3 is published."""
    config = transformers.LlamaConfig(**SMALL, hidden_size=144, intermediate_size=200)
    model = filled(transformers.LlamaForCausalLM(config), 91)
    prefix = "model.layers.0.mlp."
    tensors, written = published(model, [prefix])
    packed, module = {}, model.model.layers[0].mlp
    for name, weight in tensors.items():
        rows, columns = weight.shape
        scales = torch.zeros(-(-rows // 128), -(-columns // 128))
        quantised = torch.zeros(rows, columns)
        for i in range(scales.shape[0]):
            for j in range(scales.shape[1]):
                block = weight[128 * i:128 * (i + 1), 128 * j:128 * (j + 1)]
                scales[i, j] = block.abs().max() / 448
                quantised[128 * i:128 * (i + 1), 128 * j:128 * (j + 1)] = block / scales[i, j]
        stored = quantised.to(torch.float8_e4m3fn)
        packed[name], packed[name + "_scale_inv"] = stored, scales
        decoded = stored.to(torch.float32)
        for i in range(scales.shape[0]):
            for j in range(scales.shape[1]):
                decoded[128 * i:128 * (i + 1), 128 * j:128 * (j + 1)] *= scales[i, j]
        getattr(module, name.split(".")[-2]).weight.data.copy_(decoded)
    rows = torch.randn(ROWS, 144, generator=generator(92))
    output, error = both(module, lambda module, rows: module(rows), rows)
    written["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
    write("llama_f8", {**packed, "input": rows, "output": output}, written, prefix, error)


@maker
def every_f8():
    """All 256 patterns of F8_E4M3 and what PyTorch reads them as; the two NaN as 0 in the second tensor."""
    patterns = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn)
    write("every_f8", {"patterns": patterns, "values": torch.nan_to_num(patterns.to(torch.float32))}, {}, "", 0.0)


def block(name, tensors, width):
    """The module of a mixture's golden, with its weights, and its router."""
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3MoE
    from transformers.models.gpt_oss.modeling_gpt_oss import GptOssMLP
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock
    from transformers.models.qwen2_moe.modeling_qwen2_moe import Qwen2MoeSparseMoeBlock
    if name == "mixtral_moe":
        module = MixtralSparseMoeBlock(eager(transformers.MixtralConfig(
            hidden_size=width, intermediate_size=160, num_local_experts=8, num_experts_per_tok=2)))
    elif name.startswith("qwen2_moe"):
        module = Qwen2MoeSparseMoeBlock(eager(transformers.Qwen2MoeConfig(
            hidden_size=width, moe_intermediate_size=48, shared_expert_intermediate_size=160, num_experts=8,
            num_experts_per_tok=3, norm_topk_prob=name.endswith("_norm"))))
    elif name == "deepseek_v3_moe":
        module = DeepseekV3MoE(eager(transformers.DeepseekV3Config(
            hidden_size=width, moe_intermediate_size=48, n_routed_experts=8, num_experts_per_tok=3, n_group=4,
            topk_group=2, n_shared_experts=1, routed_scaling_factor=2.5, norm_topk_prob=True)))
    else:
        module = GptOssMLP(eager(transformers.GptOssConfig(
            hidden_size=width, intermediate_size=96, num_local_experts=8, num_experts_per_tok=4)))
    if "experts.gate_up_proj" not in tensors:
        gate, up, down = ("w1", "w3", "w2") if name == "mixtral_moe" else ("gate_proj", "up_proj", "down_proj")
        experts = [{part: tensors.pop(f"experts.{i}.{part}.weight") for part in (gate, up, down)} for i in range(8)]
        tensors["experts.gate_up_proj"] = torch.stack([torch.cat([one[gate], one[up]]) for one in experts])
        tensors["experts.down_proj"] = torch.stack([one[down] for one in experts])
    module.load_state_dict(tensors)
    return module.double().eval()


def expert_gradients(module, expert):
    """The gradients of one expert's tensors by the names of the API, whatever their layout."""
    both, down = module.experts.gate_up_proj.grad[expert], module.experts.down_proj.grad[expert]
    if not hasattr(module.experts, "gate_up_proj_bias"):
        gate, up = both.chunk(2)
        return dict(gate_proj=gate, up_proj=up, down_proj=down)
    bias = module.experts.gate_up_proj_bias.grad[expert]
    return dict(gate_proj=both[:, ::2].T, up_proj=both[:, 1::2].T, down_proj=down.T, gate_proj_bias=bias[::2],
                up_proj_bias=bias[1::2], down_proj_bias=module.experts.down_proj_bias.grad[expert])


@maker
def mixture_gradients():
    names = ["mixtral_moe", "qwen2_moe", "qwen2_moe_norm", "deepseek_v3_moe", "gpt_oss_moe", "gpt_oss_moe_clamped"]
    for seed, name in enumerate(names, 101):
        tensors = load_file(TESTS / f"FeedForwardTests/Fixtures/{name}.safetensors")
        rows, chosen, right = tensors["input"], tensors["router_indices"], tensors["output"]
        weights = {key.split(".", 4)[4]: tensor for key, tensor in tensors.items() if key.startswith("model.")}
        module = block(name, weights, rows.shape[1])
        rows = rows.double().requires_grad_()
        upstream = torch.randn(right.shape, generator=generator(seed))
        output = tensor_of(module(rows[None]))[0]
        assert (output - right).abs().max() < 1e-6 * right.abs().max(), name
        (output * upstream.double()).sum().backward()
        expert = int(chosen.flatten().bincount().argmax())
        router = module.router if hasattr(module, "router") else module.gate
        found = {"router": router.weight.grad}
        if getattr(router, "bias", None) is not None:
            found["router_bias"] = router.bias.grad
        shared = getattr(module, "shared_expert", None) or getattr(module, "shared_experts", None)
        if shared is not None:
            found |= {f"shared.{part}": getattr(shared, part).weight.grad for part in ("gate_proj", "up_proj", "down_proj")}
        if hasattr(module, "shared_expert_gate"):
            found["shared_gate"] = module.shared_expert_gate.weight.grad
        found |= {f"experts.{expert}.{part}": grad for part, grad in expert_gradients(module, expert).items()}
        folder = TESTS / "InferenceAPITests/Fixtures"
        folder.mkdir(exist_ok=True)
        save_file(
            {key: tensor.to(torch.float32).contiguous().clone()
             for key, tensor in {"grad_output": upstream, "grad_input": rows.grad, **found}.items()},
            folder / f"{name}.safetensors",
            metadata={"torch": torch.__version__, "transformers": transformers.__version__})
        print(name, {key: f"{float(tensor.abs().max()):.2g}" for key, tensor in found.items()})


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for chosen in sys.argv[1:] or MAKERS:
        MAKERS[chosen]()
