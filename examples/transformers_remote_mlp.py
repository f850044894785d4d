"""Attention here, feed-forward layers there: a Transformers model whose MLPs are computed by Sluice.

    pip install torch transformers requests
    python examples/transformers_remote_mlp.py [path of sluice, by default .build/release/sluice]

For a small Llama and a small Mixtral, randomly initialised: saves the model by save_pretrained, serves that directory,
replaces each layer's MLP (or its whole mixture of experts) by calls over one keep-alive connection, and generates the
same tokens as the model by itself.
"""

import http.client
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig

SHAPE = dict(vocab_size=512, hidden_size=256, intermediate_size=688, num_hidden_layers=4, num_attention_heads=8,
             num_key_value_heads=4, max_position_embeddings=256)
CONFIGS = [LlamaConfig(**SHAPE), MixtralConfig(**SHAPE, num_local_experts=8, num_experts_per_tok=2)]
TOKENS, spent = 48, {"round trips": 0.0, "server": 0.0, "calls": 0}


class RemoteMLP(torch.nn.Module):
    """Rows in, rows out, as raw float32 by the Open Inference Protocol."""

    def __init__(self, connection, layer):
        super().__init__()
        self.connection, self.path = connection, f"/v2/models/model.{layer}/infer"

    def forward(self, x):
        started = time.perf_counter()
        body = x.contiguous().numpy().tobytes()
        self.connection.request("POST", self.path, body, {"Inference-Header-Content-Length": "0"})
        reply = self.connection.getresponse()
        content, head = reply.read(), int(reply.headers.get("Inference-Header-Content-Length", 0))
        if reply.status != 200:
            raise RuntimeError(content.decode())
        spent["round trips"] += time.perf_counter() - started
        spent["server"] += float(re.search(r"total;dur=([\d.]+)", reply.headers["Server-Timing"])[1]) / 1000
        spent["calls"] += 1
        return torch.from_numpy(np.frombuffer(content, np.float32, offset=head).copy()).reshape(x.shape)


def generate(model, prompt):
    """The tokens, and how many a second."""
    started = time.perf_counter()
    tokens = model.generate(prompt, max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=False, pad_token_id=0)
    return tokens, TOKENS / (time.perf_counter() - started)


def serve(program, directory):
    """A server of the checkpoint, and a connection to it."""
    server = subprocess.Popen([program, "serve", "--model", f"model={directory}", "--port", "0", "--no-access-log",
                               "--log-format", "json"], stderr=subprocess.PIPE, text=True)
    ready = next(line for line in server.stderr if '"message":"ready"' in line)
    return server, http.client.HTTPConnection("127.0.0.1", int(re.search(r"127\.0\.0\.1:(\d+)", ready)[1]))


for config in CONFIGS:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    prompt = torch.randint(config.vocab_size, (1, 16))
    with tempfile.TemporaryDirectory() as directory, torch.inference_mode():
        model.save_pretrained(directory)
        local, local_rate = generate(model, prompt)
        server, connection = serve(sys.argv[1] if len(sys.argv) > 1 else ".build/release/sluice", directory)
        for index, layer in enumerate(model.model.layers):
            layer.mlp = RemoteMLP(connection, index)
        spent.update({"round trips": 0.0, "server": 0.0, "calls": 0})
        remote, remote_rate = generate(model, prompt)
        server.terminate()
        server.wait()
    transport = spent["round trips"] - spent["server"]
    print(f"{config.model_type}: {TOKENS} tokens {'the same' if torch.equal(local, remote) else 'DIFFERENT'}; "
          f"{local_rate:.0f} tokens/s local, {remote_rate:.0f} remote; {spent['calls']} calls of "
          f"{1e6 * spent['round trips'] / spent['calls']:.0f} µs, of which the transport "
          f"{1e6 * transport / spent['calls']:.0f} µs: {100 * transport * remote_rate / TOKENS:.0f}% of the time")
    if not torch.equal(local, remote):
        sys.exit(1)
