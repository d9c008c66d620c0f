"""Text models of many architectures: in one batch with others, each makes what the library's own `generate`
makes of it alone. Slow: it imports and builds some thirty architectures."""

import pytest
import torch
import transformers

from pipelines.families._rows import may_join
from pipelines.families.causal_lm import CausalLM
from tests.families import tiny
from tests.families.test_causal_lm import Recorder, request

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
WINDOW = {"sliding_window": 8}
MIXED = {**WINDOW, "head_dim": 8, "layer_types": ["sliding_attention", "full_attention"]}
LINEAR = {
    "head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
LATENT = {
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "num_key_value_heads": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}

JOIN = {
    "Bloom": {"n_layer": 2, "n_head": 4},
    "Cohere2": MIXED,
    "DeepseekV3": LATENT,
    "Exaone4": WINDOW,
    "Falcon": {"new_decoder_architecture": False, "alibi": False, "multi_query": True},
    "GPTBigCode": GPT,
    "GPTNeoX": {},
    "Gemma2": {**WINDOW, "head_dim": 8},
    "Gemma3Text": MIXED,
    "Glm4": {"head_dim": 8},
    "GptOss": {**MIXED, "num_local_experts": 4, "num_experts_per_tok": 2},
    "Granite": {},
    "Llama4Text": {
        "num_local_experts": 2,
        "head_dim": 8,
        "attention_chunk_size": 8,
        "intermediate_size_mlp": 64,
    },
    "Ministral": {**WINDOW, "head_dim": 8},
    "Mistral": WINDOW,
    "Mixtral": {"num_local_experts": 4},
    "Nemotron": {},
    "OPT": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "Olmo2": {},
    "Phi3": {},
    "Qwen2": {},
    "Qwen3Moe": {**EXPERTS, "head_dim": 8},
    "SmolLM3": {},
    "Starcoder2": {},
}
"""Whose layers are all attention, so that requests join one batch."""

APART = {
    "FalconH1": {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8},
    "Lfm2": {"layer_types": ["conv", "full_attention"]},
    "Qwen3_5Text": LINEAR,
}
"""Which keep a state of all tokens."""

PROMPTS = ["Once upon a time a fox met an owl in the wood", "x", "The owl said hello"]


def build(name, sizes):
    tokenizer = tiny.bpe_tokenizer()
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer), **ids, **{**SIZES, **sizes})
    torch.manual_seed(0)
    model = getattr(transformers, f"{name.removesuffix('Text')}ForCausalLM")(config).eval()
    return CausalLM(model, tokenizer)


def generated(family, prompt):
    read = family.tokenizer(prompt, return_tensors="pt")
    ids = family.model.generate(
        input_ids=read.input_ids, attention_mask=read.attention_mask, max_new_tokens=30, do_sample=False
    )
    return family.tokenizer.decode(ids[0, read.input_ids.shape[1] :], skip_special_tokens=True).rstrip(
        "\ufffd"
    )


@pytest.mark.parametrize("name", [*JOIN, *APART])
def test_a_batch_makes_what_generate_makes(name):
    family = build(name, {**JOIN, **APART}[name])
    recorder = Recorder()

    family.serve(
        [request(prompt, prompt=prompt, temperature=0, repeatable=False, n=2) for prompt in PROMPTS], recorder
    )

    assert recorder.errors == {}
    assert may_join(family.model) is (name in JOIN)
    for prompt in PROMPTS:
        assert [output.value for output in recorder.outputs[prompt]] == [generated(family, prompt)] * 2
