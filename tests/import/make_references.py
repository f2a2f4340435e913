"""Makes the files of tests/data/import: small checkpoints of other projects, as their own libraries
write them, and what their own networks compute with them.

The suite reads these files and does not need this script. To make them again:

    pip install torch timm transformers open_clip_torch safetensors
    python tests/import/make_references.py

Every parameter is random (norms, biases, layer scales and positions too), because a freshly made
network would hide a tensor that is read wrongly or not at all. All numbers are representable in
half precision, which most files are stored in, so that originals and imports compute with the same.

Each folder is one checkpoint, as users have it: its original names, prefixes and wrappers, and the
configuration files that lie beside it. references.safetensors holds for each folder

    <folder>/features  [D]  the class token behind the last norm, which a head sees;
    <folder>/logits    [C]  where the network has a head;

computed for `image` [3, 32, 32], or `clip` [3, 4, 32, 32] where the network is one of videos; both
are in the same file and are pixels that have been normalised already. Some folders hold networks that
the importer must refuse; tests/native/model/import_reference_test.cc says which.
"""

import argparse
import collections
import copy
import json
import os
import pathlib
import shutil

import open_clip
import timm
import torch
import transformers
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "import"
IMAGE = dict(image_size=32, patch_size=8)
WIDTH, DEPTH, HEADS, CLASSES, FRAMES = 32, 2, 2, 10, 4

references = {}


def randomise(model, seed):
    """Gives every parameter and buffer of floating-point numbers its own values."""
    generator = torch.Generator().manual_seed(seed)

    def normal(like, deviation, mean=0.0):
        return mean + deviation * torch.randn(like.shape, generator=generator)

    with torch.no_grad():
        for name, p in model.named_parameters():
            leaf = name.split(".")[-1]
            if "gamma" in leaf or "lambda" in leaf:
                value = normal(p, 0.2, 0.6)
            elif leaf == "logit_scale":
                value = normal(p, 0.1, 2.6)
            elif p.ndim == 1 and leaf == "weight":
                value = normal(p, 0.2, 1.0)
            elif p.ndim == 1:
                value = normal(p, 0.2)
            elif p.ndim < 4 and any(part in name for part in ("embed", "token", "positional")):
                value = normal(p, 0.5)
            else:
                value = normal(p, 1.0 / p[0].numel() ** 0.5)
            p.copy_(value.half().float())
    return model.eval()


def write_json(name, file, content):
    (FOLDER / name / file).write_text(json.dumps(content, indent=1) + "\n")


def half(state):
    return collections.OrderedDict(
        (k, v.detach().half().contiguous() if v.is_floating_point() else v) for k, v in state.items())


def folder(name):
    (FOLDER / name).mkdir(parents=True)
    return FOLDER / name


def refer(name, features, logits=None):
    references[f"{name}/features"] = features.detach().flatten().clone()
    if logits is not None:
        references[f"{name}/logits"] = logits.detach().flatten().clone()


def class_token(module, run):
    """What `module`, a network's last norm, gives for the class token while `run` runs."""
    seen = []
    hook = module.register_forward_hook(lambda m, args, output: seen.append(output))
    result = run()
    hook.remove()
    output = seen[-1]
    return (output[0, 0] if output.ndim == 3 else output[0]), result


def timm_config(architecture, mean, std, model_args=None, classes=CLASSES):
    return {
        "architecture": architecture,
        "num_classes": classes,
        "num_features": WIDTH,
        "global_pool": "token",
        "model_args": dict(img_size=32, patch_size=8, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS)
        | (model_args or {}),
        "pretrained_cfg": {
            "tag": "reference", "custom_load": False, "input_size": [3, 32, 32],
            "fixed_input_size": True, "interpolation": "bicubic", "crop_pct": 0.9,
            "crop_mode": "center", "mean": mean, "std": std, "num_classes": classes,
            "pool_size": None, "first_conv": "patch_embed.proj", "classifier": "head"},
    }


HALF_MEAN = [0.5, 0.5, 0.5]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def timm_vit(seed, **options):
    return randomise(
        VisionTransformer(**(dict(img_size=32, patch_size=8, embed_dim=WIDTH, depth=DEPTH,
                                  num_heads=HEADS, num_classes=CLASSES) | options)), seed)


def timm_reference(name, model, image):
    features, logits = class_token(model.norm, lambda: model(image[None]))
    refer(name, features, logits if model.num_classes > 0 else None)


def make_timm(image):
    model = timm_vit(1)
    save_file(model.state_dict(), folder("timm_augreg") / "model.safetensors")
    write_json("timm_augreg", "config.json",
               timm_config("vit_tiny_patch16_224", HALF_MEAN, HALF_MEAN))
    timm_reference("timm_augreg", model, image)

    model = timm_vit(2, num_classes=0)
    save_file(half(model.state_dict()), folder("timm_dino") / "model.safetensors")
    write_json("timm_dino", "config.json",
               timm_config("vit_small_patch8_224", IMAGENET_MEAN, IMAGENET_STD, classes=0))
    timm_reference("timm_dino", model, image)

    # DINO's own training file: student and teacher with their projection heads.
    student = {f"module.backbone.{k}": v for k, v in half(timm_vit(3, num_classes=0).state_dict()).items()}
    teacher = {f"backbone.{k}": v for k, v in half(model.state_dict()).items()}
    for state, prefix in ((student, "module.head."), (teacher, "head.")):
        state[prefix + "mlp.0.weight"] = torch.zeros(4, WIDTH).half()
        state[prefix + "mlp.0.bias"] = torch.zeros(4).half()
        state[prefix + "last_layer.weight_g"] = torch.zeros(4, 1).half()
        state[prefix + "last_layer.weight_v"] = torch.zeros(4, 4).half()
    torch.save({"student": student, "teacher": teacher, "epoch": 100,
                "args": argparse.Namespace(arch="vit_small", patch_size=8),
                "dino_loss": {"center": torch.zeros(1, 4)}},
               folder("dino_official") / "checkpoint.pth")
    timm_reference("dino_official", model, image)

    model = timm_vit(4)
    optimizer = torch.optim.AdamW(model.head.parameters())
    model(image[None]).sum().backward()
    optimizer.step()
    model = timm_vit(4)
    torch.save({"model": half(model.state_dict()), "optimizer": optimizer.state_dict(), "epoch": 299,
                "lr_scheduler": {"t": 5}, "args": argparse.Namespace(model="deit_tiny", lr=5e-4)},
               folder("deit") / "deit_tiny.pth")
    timm_reference("deit", model, image)

    # DeiT-3: positions of patches only, layer scale; timm's names and the authors' own.
    model = timm_vit(5, no_embed_class=True, init_values=1e-6)
    save_file(half(model.state_dict()), folder("timm_deit3") / "model.safetensors")
    write_json("timm_deit3", "config.json",
               timm_config("deit3_small_patch16_224", IMAGENET_MEAN, IMAGENET_STD,
                           dict(no_embed_class=True, init_values=1e-6)))
    timm_reference("timm_deit3", model, image)
    state = half(model.state_dict())
    for block in range(DEPTH):
        for i in (1, 2):
            state[f"blocks.{block}.gamma_{i}"] = state.pop(f"blocks.{block}.ls{i}.gamma")
    torch.save({"model": state}, folder("deit3_official") / "deit_3_small.pth",
               _use_new_zipfile_serialization=False)
    timm_reference("deit3_official", model, image)

    # CLIP as timm has it: a norm before the blocks, and OpenAI's epsilon and activation.
    model = timm_vit(6, num_classes=0, pre_norm=True, norm_layer=torch.nn.LayerNorm,
                     act_layer=timm.layers.QuickGELU)
    save_file(half(model.state_dict()), folder("timm_clip_quickgelu") / "model.safetensors")
    write_json("timm_clip_quickgelu", "config.json",
               timm_config("vit_base_patch32_clip_quickgelu_224", CLIP_MEAN, CLIP_STD, classes=0))
    timm_reference("timm_clip_quickgelu", model, image)

    # DINOv2 in timm.
    model = timm_vit(7, num_classes=0, init_values=1e-5)
    save_file(half(model.state_dict()), folder("timm_dinov2") / "model.safetensors")
    write_json("timm_dinov2", "config.json",
               timm_config("vit_small_patch14_dinov2", IMAGENET_MEAN, IMAGENET_STD,
                           dict(init_values=1e-5), classes=0))
    timm_reference("timm_dinov2", model, image)

    # The authors' names: positions with the class token's, a mask token, layer scale.
    state = half(model.state_dict())
    state["mask_token"] = torch.zeros(1, WIDTH).half()
    torch.save(state, folder("dinov2_official") / "dinov2_vits14_pretrain.pth")
    timm_reference("dinov2_official", model, image)

    # Registers, which stand between the class token and the patches.
    model = timm_vit(8, num_classes=0, depth=1, init_values=1e-5, reg_tokens=4, no_embed_class=True)
    save_file(half(model.state_dict()), folder("timm_dinov2_registers") / "model.safetensors")
    write_json("timm_dinov2_registers", "config.json",
               timm_config("vit_small_patch14_reg4_dinov2", IMAGENET_MEAN, IMAGENET_STD,
                           dict(init_values=1e-5, reg_tokens=4, no_embed_class=True), classes=0))
    timm_reference("timm_dinov2_registers", model, image)
    state = half(model.state_dict())
    state["register_tokens"] = state.pop("reg_token")
    state["mask_token"] = torch.zeros(1, WIDTH).half()
    state["pos_embed"] = torch.cat([torch.zeros(1, 1, WIDTH).half(), state["pos_embed"]], 1)
    torch.save(state, folder("dinov2_official_registers") / "dinov2_vits14_reg4_pretrain.pth")
    timm_reference("dinov2_official_registers", model, image)

    # DINOv2's giant has a gated MLP.
    model = timm_vit(9, num_classes=0, depth=1, init_values=1e-5, mlp_ratio=2.66667 * 2,
                     mlp_layer=timm.layers.SwiGLUPacked, act_layer=torch.nn.SiLU)
    save_file(half(model.state_dict()), folder("timm_dinov2_giant") / "model.safetensors")
    state = half(model.state_dict())
    for kind in ("weight", "bias"):
        state[f"blocks.0.mlp.w12.{kind}"] = state.pop(f"blocks.0.mlp.fc1.{kind}")
        state[f"blocks.0.mlp.w3.{kind}"] = state.pop(f"blocks.0.mlp.fc2.{kind}")
    torch.save(state, folder("dinov2_official_giant") / "dinov2_vitg14_pretrain.pth")

    # A mean over the patches instead of the class token.
    model = timm_vit(10, depth=1, global_pool="avg")
    save_file(half(model.state_dict()), folder("timm_average_pool") / "model.safetensors")

    model = randomise(
        VisionTransformerDistilled(img_size=32, patch_size=8, embed_dim=WIDTH, depth=1,
                                   num_heads=HEADS, num_classes=CLASSES), 11)
    torch.save({"model": half(model.state_dict())}, folder("deit_distilled") / "deit_distilled.pth")


def make_mae(image):
    """MAE's pretraining file: the encoder under timm's names, the decoder beside it."""
    model = timm_vit(20, num_classes=0)
    decoder = timm_vit(21, num_classes=0, embed_dim=16, depth=1, num_heads=1)
    state = half(model.state_dict())
    state["mask_token"] = torch.zeros(1, 1, 16).half()
    state["decoder_pos_embed"] = torch.zeros(1, 17, 16).half()
    state["decoder_embed.weight"] = torch.zeros(16, WIDTH).half()
    state["decoder_embed.bias"] = torch.zeros(16).half()
    for name, value in half(decoder.state_dict()).items():
        if name.startswith("blocks.") or name.startswith("norm."):
            state["decoder_" + name] = value
    state["decoder_pred.weight"] = torch.zeros(192, 16).half()
    state["decoder_pred.bias"] = torch.zeros(192).half()
    torch.save({"model": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 799,
                "scaler": {"scale": 65536.0}, "args": argparse.Namespace(model="mae_vit_base")},
               folder("mae_official") / "mae_pretrain_vit_base.pth")
    timm_reference("mae_official", model, image)


def save_hugging_face(name, model, processor=None, **options):
    path = folder(name)
    copy.deepcopy(model).half().save_pretrained(path, **options)
    if processor is not None:
        write_json(name, "preprocessor_config.json", processor)


def processor(kind, mean, std):
    return {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": mean,
            "image_processor_type": kind, "image_std": std, "resample": 3,
            "rescale_factor": 1 / 255, "size": {"height": 32, "width": 32}}


def make_hugging_face(image, clip):
    sizes = dict(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS,
                 intermediate_size=4 * WIDTH, **IMAGE)
    labels = dict(id2label={i: f"action {i}" for i in range(CLASSES)},
                  label2id={f"action {i}": i for i in range(CLASSES)})

    model = randomise(transformers.ViTForImageClassification(
        transformers.ViTConfig(**sizes, **labels)), 30)
    features, result = class_token(model.vit.layernorm, lambda: model(image[None]))
    vit = processor("ViTImageProcessor", HALF_MEAN, HALF_MEAN)
    save_hugging_face("hf_vit", model, vit)
    refer("hf_vit", features, result.logits)
    save_hugging_face("hf_vit_sharded", model, vit, max_shard_size="20KB")
    refer("hf_vit_sharded", features, result.logits)
    # What the library of today calls the same tensors in memory.
    torch.save(half(model.state_dict()), folder("hf_vit_memory") / "pytorch_model.bin")
    shutil.copy(FOLDER / "hf_vit" / "config.json", FOLDER / "hf_vit_memory")
    write_json("hf_vit_memory", "preprocessor_config.json", vit)
    refer("hf_vit_memory", features, result.logits)

    config = transformers.ViTMAEConfig(**sizes, decoder_hidden_size=16, decoder_num_hidden_layers=1,
                                       decoder_num_attention_heads=1, decoder_intermediate_size=16,
                                       mask_ratio=0.0)
    model = randomise(transformers.ViTMAEForPreTraining(config), 31)
    noise = torch.arange(16.0)[None]  # Keeps the patches' order.
    features, _ = class_token(model.vit.layernorm, lambda: model.vit(image[None], noise=noise))
    save_hugging_face("hf_vit_mae", model,
                      processor("ViTFeatureExtractor", IMAGENET_MEAN, IMAGENET_STD))
    refer("hf_vit_mae", features)

    dinov2 = dict(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, mlp_ratio=4,
                  **IMAGE)
    imagenet = processor("BitImageProcessor", IMAGENET_MEAN, IMAGENET_STD)
    model = randomise(transformers.Dinov2Model(transformers.Dinov2Config(**dinov2)), 32)
    features, _ = class_token(model.layernorm, lambda: model(image[None]))
    save_hugging_face("hf_dinov2", model, imagenet)
    refer("hf_dinov2", features)

    # Its head sees the class token and the mean of the patches.
    model = randomise(transformers.Dinov2ForImageClassification(
        transformers.Dinov2Config(**dinov2, **labels)), 33)
    features, _ = class_token(model.dinov2.layernorm, lambda: model(image[None]))
    save_hugging_face("hf_dinov2_classifier", model, imagenet)
    refer("hf_dinov2_classifier", features)

    model = randomise(transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(**dinov2)), 34)
    features, _ = class_token(model.layernorm, lambda: model(image[None]))
    refer("hf_dinov2_registers", features)
    save_hugging_face("hf_dinov2_registers", model, imagenet)

    for mode in ("divided_space_time", "joint_space_time", "space_only"):
        make_timesformer(mode, clip, labels)

    for name, activation, seed in (("hf_clip_vision", "quick_gelu", 40), ("hf_clip_gelu", "gelu", 41)):
        model = randomise(transformers.CLIPVisionModel(
            transformers.CLIPVisionConfig(**sizes, hidden_act=activation)), seed)
        features, _ = class_token(model.post_layernorm, lambda: model(image[None]))
        save_hugging_face(name, model, processor("CLIPImageProcessor", CLIP_MEAN, CLIP_STD))
        refer(name, features)
    # As the library wrote it before its version 5: with a prefix, and a buffer.
    state = {f"vision_model.{k}": v for k, v in half(model.state_dict()).items()}
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    torch.save(state, folder("hf_clip_vision_old") / "pytorch_model.bin",
               _use_new_zipfile_serialization=False)
    for file in ("config.json", "preprocessor_config.json"):
        shutil.copy(FOLDER / "hf_clip_gelu" / file, FOLDER / "hf_clip_vision_old")
    refer("hf_clip_vision_old", features)

    text = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16,
                vocab_size=32, max_position_embeddings=8)
    model = randomise(transformers.CLIPModel(transformers.CLIPConfig(
        text_config=text, vision_config=sizes | dict(hidden_act="quick_gelu"), projection_dim=16)), 42)
    features, _ = class_token(model.vision_model.post_layernorm, lambda: model.vision_model(image[None]))
    path = folder("hf_clip")
    model.config.save_pretrained(path)
    write_json("hf_clip", "preprocessor_config.json",
               processor("CLIPImageProcessor", CLIP_MEAN, CLIP_STD))
    # The official files carry this buffer.
    state = half(model.state_dict())
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    torch.save(state, path / "pytorch_model.bin")
    refer("hf_clip", features)

    model = randomise(transformers.VideoMAEForVideoClassification(
        transformers.VideoMAEConfig(**sizes | dict(num_hidden_layers=1), num_frames=4, **labels)), 43)
    save_hugging_face("hf_videomae", model)

    model = randomise(transformers.SiglipVisionModel(transformers.SiglipVisionConfig(
        **sizes | dict(num_hidden_layers=1))), 44)
    save_hugging_face("hf_siglip", model)


TIMESFORMER_NAMES = (
    ("timesformer.embeddings.cls_token", "cls_token"),
    ("timesformer.embeddings.position_embeddings", "pos_embed"),
    ("timesformer.embeddings.time_embeddings", "time_embed"),
    ("timesformer.embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("timesformer.encoder.layer", "blocks"),
    ("temporal_attention.attention.qkv", "temporal_attn.qkv"),
    ("temporal_attention.output.dense", "temporal_attn.proj"),
    ("attention.attention.qkv", "attn.qkv"),
    ("attention.output.dense", "attn.proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    ("temporal_layernorm", "temporal_norm1"),
    ("temporal_dense", "temporal_fc"),
    ("timesformer.layernorm", "norm"),
    ("classifier", "head"),
)


def make_timesformer(mode, clip, labels):
    """In both projects' names. transformers' network is the official one's port, but for the mean
    over frames of `space_only`, which it leaves out and which is done here as the official code does
    it: of the tokens, before the last norm.
    """
    config = transformers.TimesformerConfig(
        hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH, num_frames=FRAMES, attention_type=mode, **IMAGE, **labels)
    model = randomise(transformers.TimesformerForVideoClassification(config),
                      35 + len(mode))
    frames = clip.transpose(0, 1)[None]
    norm = model.timesformer.layernorm
    seen = []
    hook = norm.register_forward_hook(lambda m, args, output: seen.append(args[0]))
    features, result = class_token(norm, lambda: model(frames))
    hook.remove()
    logits = result.logits
    if mode == "space_only":
        features = norm(seen[-1].mean(0))[0]
        logits = model.classifier(features)
    short = mode.removesuffix("_space_time")
    name = f"hf_timesformer_{short}"
    save_hugging_face(name, model, processor("VideoMAEImageProcessor", [0.45] * 3, [0.225] * 3))
    refer(name, features, logits)

    state = collections.OrderedDict()
    for key, value in half(model.state_dict()).items():
        for theirs, ours in TIMESFORMER_NAMES:
            key = key.replace(theirs, ours)
        state["model." + key] = value
    name = f"timesformer_{short}"
    torch.save({"epoch": 14, "model_state": state, "optimizer_state": {"state": {}, "param_groups": []},
                "cfg": "TRAIN:\n  DATASET: kinetics\n"}, folder(name) / "TimeSformer.pyth",
               _use_new_zipfile_serialization=mode != "joint_space_time")
    refer(name, features, logits)


def open_clip_model(seed, quick_gelu=False, layers=DEPTH, **vision):
    return randomise(
        CLIP(16, CLIPVisionCfg(layers=layers, width=WIDTH, head_width=WIDTH // HEADS, **IMAGE, **vision),
             CLIPTextCfg(context_length=8, vocab_size=32, width=16, heads=1, layers=1),
             quick_gelu=quick_gelu), seed)


def make_clip(image):
    def reference(name, model):
        refer(name, class_token(model.visual.ln_post, lambda: model.visual(image[None]))[0])

    # OpenAI's file without its TorchScript: three numbers beside the weights.
    model = open_clip_model(50, quick_gelu=True)
    state = half(model.state_dict())
    state["input_resolution"] = torch.tensor(32)
    state["context_length"] = torch.tensor(8)
    state["vocab_size"] = torch.tensor(32)
    torch.save(state, folder("clip_openai") / "ViT-B-32.pt")
    reference("clip_openai", model)

    def config(name, quick_gelu=False, **vision):
        write_json(name, "open_clip_config.json", {
            "model_cfg": {
                "embed_dim": 16,
                **({"quick_gelu": True} if quick_gelu else {}),
                "vision_cfg": {"image_size": 32, "layers": DEPTH, "width": WIDTH, "patch_size": 8,
                               "head_width": WIDTH // HEADS, **vision},
                "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 1,
                             "layers": 1}},
            "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD}})

    model = open_clip_model(51)
    save_file(half(model.state_dict()), folder("open_clip") / "open_clip_model.safetensors")
    config("open_clip")
    reference("open_clip", model)

    # A training file: the distributed wrapper's prefix, and the state of the optimizer.
    model = open_clip_model(52, quick_gelu=True)
    torch.save({"epoch": 32, "name": "run", "state_dict": {
        f"module.{k}": v for k, v in half(model.state_dict()).items()},
        "optimizer": {"state": {}, "param_groups": []}}, folder("open_clip_training") / "epoch_32.pt")
    reference("open_clip_training", model)

    model = open_clip_model(53, ls_init_value=0.1, mlp_ratio=3.0)
    save_file(half(model.state_dict()), folder("open_clip_layer_scale") / "open_clip_model.safetensors")
    config("open_clip_layer_scale", ls_init_value=0.1, mlp_ratio=3.0)
    reference("open_clip_layer_scale", model)

    # CoCa's tower pools by attention.
    model = open_clip_model(54, layers=1, attentional_pool=True, attn_pooler_heads=HEADS, attn_pooler_queries=4)
    save_file(half(model.state_dict()), folder("open_clip_attention_pool") / "open_clip_model.safetensors")
    config("open_clip_attention_pool", attentional_pool=True)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    torch.manual_seed(0)
    image = torch.randn(3, 32, 32).half().float()
    clip = torch.randn(3, FRAMES, 32, 32).half().float()
    make_timm(image)
    make_mae(image)
    make_hugging_face(image, clip)
    make_clip(image)
    save_file({"image": image.half(), "clip": clip.half(), **references},
              FOLDER / "references.safetensors")
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    print(f"{len(references)} references, {len(files)} files, "
          f"{sum(path.stat().st_size for path in files) / 1e6:.2f} MB, "
          f"the largest {max(path.stat().st_size for path in files) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
