"""What the Python programs of these folders use of the C API (ata.h), by ctypes and NumPy."""

import ctypes
import time

import numpy as np

F32, I64 = 0, 3  # ata_dtype
TEMPORAL = {"ata": 0, "divided": 1, "joint": 2, "space_only": 3}  # ata_temporal_mode
PRECISION = {"f32": 0, "bf16": 1}  # ata_precision

_float, _i32, _i64, _size, _text, _pointer = (
    ctypes.c_float, ctypes.c_int32, ctypes.c_int64, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)


class Struct(ctypes.Structure):
    """A struct of ata.h, or as many of its first fields as are needed: `struct_size` tells how many."""

    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class TensorInfo(Struct):
    name = "ata_tensor_info"
    _fields_ = [("struct_size", _size), ("data", _pointer), ("size", _size), ("dtype", _i32),
                ("rank", _i32), ("shape", _i64 * 8), ("strides", ctypes.POINTER(_i64)),
                ("device", _text), ("read_only", _i32), ("reserved", _i32)]


class AssignOptions(Struct):
    name = "ata_assign_options"
    _fields_ = [("struct_size", _size), ("maximize", _i32), ("polish", _i32), ("certify", _i32)]


class ModelConfig(Struct):
    name = "ata_model_config"
    _fields_ = [("struct_size", _size), ("architecture", _text), ("backbone", _text),
                ("image_size", _i32), ("frames", _i32), ("classes", _i32), ("temporal", _i32),
                ("alignment", _i32), ("align_every", _i32), ("window_radius", _i32),
                ("temperature", _float), ("iterations", _i32), ("mean", _float * 3),
                ("std", _float * 3)]


class ModelOptions(Struct):
    name = "ata_model_options"
    _fields_ = [("struct_size", _size), ("device", _text), ("precision", _i32), ("temporal", _i32),
                ("alignment", _i32), ("align_every", _i32), ("window_radius", _i32),
                ("temperature", _float), ("iterations", _i32), ("frames", _i32),
                ("image_size", _i32), ("bicubic_positions", _i32), ("trainable", _i32)]


class SessionOutputs(Struct):
    name = "ata_session_outputs"
    _fields_ = [("struct_size", _size), ("logits", _pointer), ("logits_count", _size),
                ("class_token", _pointer), ("class_token_count", _size),
                ("feature_blocks", _pointer), ("feature_block_count", _size),
                ("features", _pointer), ("features_count", _size),
                ("trajectory_blocks", _pointer), ("trajectory_block_count", _size),
                ("trajectories", _pointer), ("trajectories_count", _size)]


class TrainOptions(Struct):
    name = "ata_train_options"
    _fields_ = [("struct_size", _size), ("optimizer", _i32), ("beta1", _float), ("beta2", _float),
                ("epsilon", _float), ("momentum", _float), ("nesterov", _i32),
                ("weight_decay", _float), ("layer_decay", _float), ("new_parameter_scale", _float),
                ("new_parameters", _text), ("frozen", _text), ("clip_norm", _float),
                ("label_smoothing", _float), ("stochastic_depth", _float), ("dropout", _float),
                ("ema_decay", _float), ("precision", _i32)]


class _AbiEntry(ctypes.Structure):
    _fields_ = [("struct_name", _text), ("field_name", _text), ("offset", _size), ("size", _size)]


class Ata:
    """A loaded library. Handles that its functions return are the caller's to release, if it must be
    before the process ends."""

    def __init__(self, path, threads):
        self.library = ctypes.CDLL(path)
        self.library.ata_last_error.restype = _text
        self.library.ata_version.restype = _text
        self.library.ata_abi_layout.restype = ctypes.POINTER(_AbiEntry)
        self.library.ata_tensor_release.restype = None
        self.library.ata_tensor_release.argtypes = [_pointer]
        self._compare_structs(path)
        self.check(self.library.ata_thread_set_count(_i32(threads)))

    def _compare_structs(self, path):
        count = _size()
        entries = self.library.ata_abi_layout(ctypes.byref(count))
        there = {(entry.struct_name, entry.field_name): (entry.offset, entry.size)
                 for entry in entries[:count.value]}
        for struct in Struct.__subclasses__():
            for field, *_ in struct._fields_:
                own = getattr(struct, field)
                if there.get((struct.name.encode(), field.encode())) != (own.offset, own.size):
                    raise RuntimeError(f"'{path}' is of another version: {struct.name}.{field} differs")

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.ata_last_error().decode())

    def version(self):
        return self.library.ata_version().decode()

    # --- tensors

    def wrap(self, values):
        """A tensor over the memory of a C-contiguous array (f32 or i64), which it keeps."""
        dtype = {np.dtype(np.float32): F32, np.dtype(np.int64): I64}[values.dtype]
        info = TensorInfo(data=values.ctypes.data, size=values.nbytes, dtype=dtype, rank=values.ndim)
        info.shape[:values.ndim] = values.shape
        tensor = _pointer()
        self.check(self.library.ata_tensor_wrap(ctypes.byref(info), None, None, ctypes.byref(tensor)))
        tensor.array = values
        return tensor

    def info(self, tensor):
        """What a tensor is."""
        info = TensorInfo()
        self.check(self.library.ata_tensor_get_info(tensor, ctypes.byref(info)))
        return info

    def open_tensors(self, path):
        file = _pointer()
        self.check(self.library.ata_tensor_file_open(path.encode(), ctypes.byref(file)))
        return file

    def filled(self, struct, init, *arguments, fields):
        """`struct` with what its function of initialisation says, but for `fields`."""
        self.check(init(*arguments, ctypes.byref(struct), _size(ctypes.sizeof(struct))))
        for name, value in fields.items():
            setattr(struct, name, value)
        return struct

    # --- assignment

    def assign(self, tensor, count, polish=False, certify=False):
        """Maximises, and returns (seconds, totals)."""
        options = AssignOptions(maximize=1, polish=polish, certify=certify)
        totals = np.empty(count)
        matching = _pointer()
        start = time.perf_counter()
        status = self.library.ata_assign(tensor, ctypes.byref(options), ctypes.byref(matching),
                                         _pointer(totals.ctypes.data), _size(count))
        seconds = time.perf_counter() - start
        self.check(status)
        self.library.ata_tensor_release(matching)
        return seconds, totals

    # --- models

    def create_model(self, size, seed, **fields):
        """A new model of a usual size ("vit-base"); `fields` are of ModelConfig."""
        config = self.filled(ModelConfig(), self.library.ata_model_config_init, size.encode(), fields=fields)
        model = _pointer()
        self.check(self.library.ata_model_create(ctypes.byref(config), ctypes.c_uint64(seed), None,
                                                 ctypes.byref(model)))
        return model

    def save_model(self, model, path):
        self.check(self.library.ata_model_save(model, path.encode()))

    def load_model(self, path, **fields):
        """`fields` are of ModelOptions."""
        options = self.filled(ModelOptions(), self.library.ata_model_options_init, fields=fields)
        model = _pointer()
        self.check(self.library.ata_model_load(path.encode(), ctypes.byref(options),
                                               ctypes.byref(model)))
        return model

    def create_session(self, model):
        session = _pointer()
        self.check(self.library.ata_session_create(model, None, ctypes.byref(session)))
        return session

    def run(self, session, clip, **outputs):
        """Runs a session on a tensor; outputs are of SessionOutputs by name, arrays that are read or
        filled."""
        fields = {}
        for name, array in outputs.items():
            fields[name] = array.ctypes.data
            fields[f"{name[:-1] if name.endswith('_blocks') else name}_count"] = array.size
        self.check(self.library.ata_session_run(session, clip, None,
                                                ctypes.byref(SessionOutputs(**fields))))

    # --- training

    def create_trainer(self, model, **fields):
        """`fields` are of TrainOptions."""
        options = self.filled(TrainOptions(), self.library.ata_train_options_init, fields=fields)
        trainer = _pointer()
        self.check(self.library.ata_trainer_create(model, ctypes.byref(options),
                                                   ctypes.byref(trainer)))
        return trainer

    def train_step(self, trainer, clips, labels, rate):
        """Forward, backward and update on tensors; returns (loss, norm of the gradient)."""
        loss, norm = _float(), ctypes.c_double()
        self.check(self.library.ata_trainer_accumulate(trainer, clips, labels, _float(1), None, None,
                                                       _size(0), ctypes.byref(loss)))
        self.check(self.library.ata_trainer_update(trainer, ctypes.c_double(rate),
                                                   ctypes.byref(norm)))
        return loss.value, norm.value
