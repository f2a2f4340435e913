/**
 * @file ata.h
 * The C API of Ata: action recognition in video with Alignment-guided Temporal Attention
 * (Zhao, Li, Guo, Lu, NeurIPS 2022, arXiv 2210.00132).
 *
 * Rules that hold for every function:
 *  - Functions that can fail return ::ata_status. On failure out-parameters are untouched and
 *    ata_last_error() describes what is wrong and how to remedy it. No function throws, aborts or
 *    exits.
 *  - Handles are opaque. Who creates a handle releases it with the matching `_release`, which
 *    returns nothing and accepts NULL. A child handle (a session of a model) keeps what it needs of
 *    its parent alive.
 *  - Strings are UTF-8 and zero-terminated. Strings that the library returns belong to the library
 *    unless the function copies into the caller's buffer.
 *  - Structs begin with `struct_size`, which the caller sets to `sizeof` of the struct; the `_init`
 *    of an options struct does so, and fills in the defaults. A caller that was compiled for
 *    another release may have a shorter or a longer struct: the fields that both know count, those
 *    that the caller does not have take their defaults, and what the library does not know must be
 *    zero. A NULL options pointer means the defaults.
 *  - Tensors are row-major and contiguous.
 *  - Devices go by their names: "cpu", "cuda" (the first GPU) or "cuda:1"; NULL stands for "cpu".
 * One that cannot be used is ::ATA_DEVICE_UNAVAILABLE, and never replaced by another. Tensors that
 *    a function takes are in the host's memory or on the device that it runs on; of another device
 *    they are ::ATA_INVALID_ARGUMENT (ata_tensor_copy() brings them).
 *  - Threads: distinct handles may be used from distinct threads at once. One handle may be used by
 *    one thread at a time, except where its type says otherwise.
 */
#ifndef ATA_ATA_H_
#define ATA_ATA_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(ATA_BUILDING)
#define ATA_EXPORT __declspec(dllexport)
#else
#define ATA_EXPORT __declspec(dllimport)
#endif
#else
/** Exported from the shared library. */
#define ATA_EXPORT __attribute__((visibility("default")))
#endif

#if defined(__cplusplus)
/** `noexcept` in C++. */
#define ATA_NOEXCEPT noexcept
/** Begins an enumeration of 32 bits, whatever the language. */
#define ATA_ENUM(name) enum name : int32_t
extern "C" {
#else
#define ATA_NOEXCEPT
#define ATA_ENUM(name)  \
  typedef int32_t name; \
  enum
#endif

/** Declares an exported function. */
#define ATA_API(type) ATA_EXPORT type

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_library Errors, versions, logging, threads
 *  @ingroup c
 *  @{ */

/** Version of the binary interface. It changes when a struct or a function changes incompatibly;
 * not when a function is added, or a field at the end of a struct. */
#define ATA_ABI_VERSION 5

/** Outcome of a call. */
ATA_ENUM(ata_status){
    /** Success. */
    ATA_OK = 0,
    /** An argument is out of range or contradicts another. */
    ATA_INVALID_ARGUMENT = 1,
    /** Memory could not be allocated. */
    ATA_OUT_OF_MEMORY = 2,
    /** A file or directory does not exist. */
    ATA_NOT_FOUND = 3,
    /** Reading or writing failed. */
    ATA_IO_ERROR = 4,
    /** A model or tensor file is malformed, or contradicts its own configuration. */
    ATA_BAD_MODEL = 5,
    /** A video or image is malformed, has no frames, or is shorter than asked. */
    ATA_BAD_VIDEO = 6,
    /** The combination asked for is not supported by this build or device. */
    ATA_UNSUPPORTED = 7,
    /** A shared library that the call needs cannot be loaded. */
    ATA_LIBRARY_UNAVAILABLE = 8,
    /** The device does not exist or cannot be used, also because its plugin cannot be loaded. */
    ATA_DEVICE_UNAVAILABLE = 9,
    /** The call was cancelled through its ::ata_cancellation. */
    ATA_CANCELLED = 10,
    /** An assignment problem has no perfect matching: too many pairs are forbidden. */
    ATA_INFEASIBLE = 11,
    /** A fault in the library itself; please report it. */
    ATA_INTERNAL = 12,
    /** What was computed is not finite, although the input is: the loss or the gradient of training
     *  that diverges, or the results of a model with damaged weights. */
    ATA_NOT_FINITE = 13,
    /** The handle is not in the state that the call needs: a gradient is read before it is
     * computed, a frame is added to a video that is complete. */
    ATA_INVALID_STATE = 14,
    /** There is no tensor or parameter of that name. */
    ATA_UNKNOWN_NAME = 15,
};

/**
 * Describes the last failure on the calling thread. Names that come from files and callers are
 * shown in it so that it stays one line of printable text: control characters, bytes that are not
 * UTF-8 and marks that turn the writing direction as `\n`, `\x1b` or `\u202e`, and very long names
 * shortened.
 * @return UTF-8 text, valid until the thread's next call into the library; "" if none failed yet.
 */
ATA_API(const char*) ata_last_error(void) ATA_NOEXCEPT;

/** @return The library's version, "major.minor.patch". */
ATA_API(const char*) ata_version(void) ATA_NOEXCEPT;

/** @return The ::ATA_ABI_VERSION the library was built with. */
ATA_API(uint32_t) ata_abi_version(void) ATA_NOEXCEPT;

/** One row of the layout table: a struct, or a field of one. */
typedef struct ata_abi_entry {
  /** Name of the struct. */
  const char* struct_name;
  /** Name of the field, or NULL for the struct as a whole. */
  const char* field_name;
  /** Offset of the field in bytes; 0 for the struct. */
  size_t offset;
  /** Size in bytes. */
  size_t size;
} ata_abi_entry;

/**
 * Reports size and field offsets of every struct in this header, for bindings to verify.
 * @param count Receives the number of entries; may not be NULL.
 * @return A static table.
 */
ATA_API(const ata_abi_entry*) ata_abi_layout(size_t* count) ATA_NOEXCEPT;

/** Severity of a log message. */
ATA_ENUM(ata_log_level){
    /** Details for developers of Ata. */
    ATA_LOG_DEBUG = 0,
    /** Normal progress. */
    ATA_LOG_INFO = 1,
    /** Something unexpected that the library could work around. */
    ATA_LOG_WARNING = 2,
    /** A failure that no status could report. */
    ATA_LOG_ERROR = 3,
    /** Silence. */
    ATA_LOG_OFF = 4,
};

/**
 * Receives log messages. Called from any thread, possibly from several at once; it must not call
 * back into the library and must not throw.
 * @param level Severity.
 * @param message UTF-8 text without a trailing newline, valid during the call.
 * @param user_data As given to ata_log_set_callback().
 */
typedef void (*ata_log_callback)(ata_log_level level, const char* message, void* user_data);

/**
 * Installs the process-wide receiver of log messages. When it returns, the previous receiver is no
 * longer being called and will not be called again. Thread-safe.
 * @param callback The receiver, or NULL for none (the default).
 * @param user_data Passed to the callback.
 * @param minimum Messages below this level are dropped.
 */
ATA_API(ata_status)
ata_log_set_callback(ata_log_callback callback, void* user_data,
                     ata_log_level minimum) ATA_NOEXCEPT;

/** Largest number of threads that one operation, or one video reader, can be given. */
#define ATA_MAX_THREADS 1024

/**
 * Sets how many threads one operation uses. Thread-safe; applies to operations that start later.
 * They are the calling thread and those of one pool, which all callers share: many callers at once
 * use `count` threads each, and do not start more than `count` - 1 in all. A session, a trainer and
 * the like can be given fewer (ata_session_options::threads). Results do not depend on any of this.
 * @param count 1 to ::ATA_MAX_THREADS, or 0 for the default: what the environment's ATA_NUM_THREADS
 *   says, else OMP_NUM_THREADS, else the cores that the process may use (its affinity mask, and the
 *   quota of its container).
 */
ATA_API(ata_status) ata_thread_set_count(int32_t count) ATA_NOEXCEPT;

/** @return How many threads one operation uses. */
ATA_API(int32_t) ata_thread_count(void) ATA_NOEXCEPT;

/**
 * Describes the installation as JSON: version, devices, instruction sets, libraries found with
 * their versions or the reason they could not be loaded, paths tried, threads, tensor memory.
 * Thread-safe.
 * @param buffer Receives zero-terminated JSON; may be NULL when `capacity` is 0.
 * @param capacity Size of `buffer` in bytes. When too small nothing is written to it.
 * @param length Receives the length of the JSON without its zero.
 */
ATA_API(ata_status)
ata_runtime_diagnose(char* buffer, size_t capacity, size_t* length) ATA_NOEXCEPT;

/** A flag by which one thread stops the work of another. All its functions are thread-safe. */
typedef struct ata_cancellation ata_cancellation;

/** Creates a flag that is not set. @param cancellation Receives the handle. */
ATA_API(ata_status) ata_cancellation_create(ata_cancellation** cancellation) ATA_NOEXCEPT;

/**
 * Sets the flag: calls that were given it return ::ATA_CANCELLED soon (between two blocks of a
 * model, between two frames of a video).
 * @param cancellation The handle; NULL is ignored.
 */
ATA_API(void) ata_cancellation_cancel(ata_cancellation* cancellation) ATA_NOEXCEPT;

/** Releases the handle; calls still using it are unaffected. @param cancellation May be NULL. */
ATA_API(void) ata_cancellation_release(ata_cancellation* cancellation) ATA_NOEXCEPT;

/** A device, or a kind of device that cannot be used. Its texts live as long as the process. */
typedef struct ata_device_info {
  /** sizeof(ata_device_info). */
  size_t struct_size;
  /** What it is asked for by: "cpu", "cuda:0"; "cuda" where there is no GPU that can be used. */
  const char* name;
  /** What it is, such as the product's name; NULL if it cannot be used. */
  const char* description;
  /** Version of its driver; NULL if it needs none, or cannot be used. */
  const char* driver;
  /** Why it cannot be used, and the remedy; NULL if it can. */
  const char* reason;
  /** Its memory in bytes, whoever uses it; -1 where the system does not tell. Of the CPU it is the
   *  machine's. */
  int64_t total_bytes;
  /** What of it is free now; -1 where the system does not tell. */
  int64_t free_bytes;
  /** Bytes that tensors of this process hold in it. */
  int64_t live_bytes;
  /** Most bytes that they ever held. */
  int64_t peak_bytes;
  /** 1: it can be used. */
  int32_t available;
  /** 0. */
  int32_t reserved;
  /** Versions of the libraries that it computes with; NULL where that is no question of the
   * machine, or if it cannot be used. */
  const char* libraries;
} ata_device_info;

/** Counts what ata_device_get_info() tells of: the CPU, every GPU, and where there is none that can
 *  be used an entry that says why. Looks for GPUs at the first call of the process. Thread-safe.
 *  @return The number; 0 if memory has run out. */
ATA_API(size_t) ata_device_count(void) ATA_NOEXCEPT;

/**
 * Describes a device. Thread-safe.
 * @param index 0 to count - 1; 0 is the CPU.
 * @param info Receives the description; its `struct_size` is set by the caller.
 */
ATA_API(ata_status) ata_device_get_info(size_t index, ata_device_info* info) ATA_NOEXCEPT;

/**
 * Gives back to the system what the library keeps between calls to be faster: compiled matrix
 * products, the memory of GPUs that no tensor holds any more, free pages of the heap. Later calls
 * make what they need again; results do not change. What a handle keeps for its next call is the
 * handle's and goes when it is released. Thread-safe, and may be called while others work.
 */
ATA_API(void) ata_release_caches(void) ATA_NOEXCEPT;

/** @} */

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_tensors Tensors
 *  @ingroup c
 *  @{ */

/** Element types. */
ATA_ENUM(ata_dtype){
    /** IEEE single. */
    ATA_F32 = 0,
    /** bfloat16. */
    ATA_BF16 = 1,
    /** Signed 32-bit. */
    ATA_I32 = 2,
    /** Signed 64-bit. */
    ATA_I64 = 3,
    /** Unsigned 8-bit. */
    ATA_U8 = 4,
};

/** Largest number of axes of a tensor. */
#define ATA_MAX_RANK 8

/** A contiguous row-major array in the memory of the host or of a device. Reading it from several
 * threads at once is safe. */
typedef struct ata_tensor ata_tensor;

/** What a tensor is: reported by ata_tensor_get_info(), and said to ata_tensor_wrap(). */
typedef struct ata_tensor_info {
  /** sizeof(ata_tensor_info). */
  size_t struct_size;
  /** The elements; valid while the handle lives. NULL if they are on another device than the CPU,
   *  where the host cannot read them: ata_tensor_copy() brings them. */
  void* data;
  /** Size of the elements in bytes. */
  size_t size;
  /** Element type. */
  ata_dtype dtype;
  /** Number of axes, 0 to ::ATA_MAX_RANK. */
  int32_t rank;
  /** Extents, at least 0; the first `rank` are meaningful, the others 0. */
  int64_t shape[ATA_MAX_RANK];
  /** From one index of an axis to the next, in elements: `rank` values that live as long as the
   *  handle. Tensors are row-major without gaps for now. */
  const int64_t* strides;
  /** Name of the device whose memory the elements are in. Lives as long as the handle. */
  const char* device;
  /** 1: the elements must not be written to. The library never writes to its inputs. */
  int32_t read_only;
  /** 0. */
  int32_t reserved;
} ata_tensor_info;

/**
 * Allocates a zeroed tensor.
 * @param dtype Element type.
 * @param shape `rank` extents, each at least 0.
 * @param rank 0 to ::ATA_MAX_RANK.
 * @param device Whose memory; NULL for "cpu".
 * @param tensor Receives the handle.
 */
ATA_API(ata_status)
ata_tensor_create(ata_dtype dtype, const int64_t* shape, int32_t rank, const char* device,
                  ata_tensor** tensor) ATA_NOEXCEPT;

/**
 * Copies a tensor into new memory, between devices too.
 * @param tensor The tensor.
 * @param device Whose memory; NULL for "cpu".
 * @param copy Receives a new tensor, which may be written to.
 */
ATA_API(ata_status)
ata_tensor_copy(const ata_tensor* tensor, const char* device, ata_tensor** copy) ATA_NOEXCEPT;

/**
 * Copies the elements of a tensor over those of another, between devices too.
 * @param from The tensor to read.
 * @param to The tensor to write, of the same element type and shape and not read-only.
 */
ATA_API(ata_status) ata_tensor_copy_into(const ata_tensor* from, ata_tensor* to) ATA_NOEXCEPT;

/**
 * Gives memory back to who lent it. Called once, by the thread that drops the last reference to the
 * memory; it must not throw.
 * @param user_data As given with the memory.
 */
typedef void (*ata_release_callback)(void* user_data);

/**
 * Makes a tensor over the caller's memory, without copying. The memory must stay until it is
 * released: until the handle and whatever else refers to it (::ata_tensor_file, a consumer of
 * ata_tensor_to_dlpack()) are gone.
 * @param info The memory. `data` is aligned to its elements, and NULL only for an empty tensor;
 *   `size` is what dtype and shape need; NULL `strides` stand for row-major without gaps, and
 *   others are ::ATA_UNSUPPORTED; a NULL `device` stands for "cpu", and others are
 *   ::ATA_UNSUPPORTED.
 * @param release Called exactly once when nothing refers to the memory any more; NULL if the caller
 *   sees to that. Never called when this function fails: the memory is then still the caller's.
 * @param user_data Passed to `release`.
 * @param tensor Receives the handle.
 */
ATA_API(ata_status)
ata_tensor_wrap(const ata_tensor_info* info, ata_release_callback release, void* user_data,
                ata_tensor** tensor) ATA_NOEXCEPT;

/** A tensor of any framework as DLPack (version 1) exchanges it; dlpack.h defines it. */
struct DLManagedTensorVersioned;

/**
 * Makes a tensor over the memory of another framework's, without copying: of the CPU or of a GPU
 * that Ata can use, "cuda:N". Other devices, gaps between elements (strides that are not row-major)
 * and element types other than ::ata_dtype's are ::ATA_UNSUPPORTED. A read-only one stays so.
 *
 * What writes a GPU's values is done before they are used, or is queued on the stream that the
 * session which reads them was given (ata_session_options::stream): no other stream is waited for.
 * @param managed The other tensor (the content of a Python capsule "dltensor_versioned"). On
 *   success it belongs to the library, which calls its deleter when nothing refers to the memory
 *   any more; on failure it is still the caller's.
 * @param tensor Receives the handle.
 */
ATA_API(ata_status)
ata_tensor_from_dlpack(struct DLManagedTensorVersioned* managed, ata_tensor** tensor) ATA_NOEXCEPT;

/**
 * Lends a tensor's memory to another framework, without copying. The values are there, whatever
 * stream reads them. Of the CPU or of a GPU; that of another device is ::ATA_UNSUPPORTED.
 * @param tensor The tensor; its handle may be released at any time.
 * @param managed Receives what the other framework takes. Whoever holds it calls its deleter, once,
 *   from any thread; until then the memory stays.
 */
ATA_API(ata_status)
ata_tensor_to_dlpack(const ata_tensor* tensor,
                     struct DLManagedTensorVersioned** managed) ATA_NOEXCEPT;

/** Releases a handle. @param tensor May be NULL. */
ATA_API(void) ata_tensor_release(ata_tensor* tensor) ATA_NOEXCEPT;

/**
 * Describes a tensor.
 * @param tensor The tensor.
 * @param info Receives the description; its `struct_size` is set by the caller.
 */
ATA_API(ata_status)
ata_tensor_get_info(const ata_tensor* tensor, ata_tensor_info* info) ATA_NOEXCEPT;

/** A set of named tensors with string metadata, as a safetensors file holds. */
typedef struct ata_tensor_file ata_tensor_file;

/** Creates an empty set, to be filled and saved. @param file Receives the handle. */
ATA_API(ata_status) ata_tensor_file_create(ata_tensor_file** file) ATA_NOEXCEPT;

/**
 * Opens a safetensors file. The header is checked in full (size, overlaps, gaps, element counts,
 * duplicate names); tensors are read when asked for. Element types other than ::ata_dtype's are
 * ::ATA_BAD_MODEL when read, except F16 and F64, which are converted to f32.
 * @param path File to read.
 * @param file Receives the handle.
 */
ATA_API(ata_status) ata_tensor_file_open(const char* path, ata_tensor_file** file) ATA_NOEXCEPT;

/** Releases a handle. @param file May be NULL. */
ATA_API(void) ata_tensor_file_release(ata_tensor_file* file) ATA_NOEXCEPT;

/** @param file The set. @return How many tensors the set holds; 0 for NULL. */
ATA_API(size_t) ata_tensor_file_count(const ata_tensor_file* file) ATA_NOEXCEPT;

/**
 * Names a tensor of the set, in the order of the file.
 * @param file The set.
 * @param index 0 to count - 1.
 * @param name Receives the name, valid while the handle lives and no tensor is added.
 */
ATA_API(ata_status)
ata_tensor_file_get_name(const ata_tensor_file* file, size_t index, const char** name) ATA_NOEXCEPT;

/**
 * Reads one tensor.
 * @param file The set.
 * @param name Name of the tensor; ::ATA_UNKNOWN_NAME if the set has none of that name.
 * @param tensor Receives a new tensor; of one that was set, over the same memory.
 */
ATA_API(ata_status)
ata_tensor_file_get(const ata_tensor_file* file, const char* name,
                    ata_tensor** tensor) ATA_NOEXCEPT;

/**
 * Adds a tensor, or replaces the one of that name. The set keeps a reference to the tensor's
 * memory until another takes its name or the set is released.
 * @param file The set.
 * @param name Name of the tensor.
 * @param tensor The tensor, in the host's memory; the caller keeps its handle.
 */
ATA_API(ata_status)
ata_tensor_file_set(ata_tensor_file* file, const char* name, const ata_tensor* tensor) ATA_NOEXCEPT;

/**
 * Reads a metadata string.
 * @param file The set.
 * @param key Key in `__metadata__`.
 * @param value Receives the string, valid while the handle lives; NULL if there is none.
 */
ATA_API(ata_status)
ata_tensor_file_get_metadata(const ata_tensor_file* file, const char* key,
                             const char** value) ATA_NOEXCEPT;

/**
 * Sets a metadata string.
 * @param file The set.
 * @param key Key in `__metadata__`.
 * @param value UTF-8 text.
 */
ATA_API(ata_status)
ata_tensor_file_set_metadata(ata_tensor_file* file, const char* key,
                             const char* value) ATA_NOEXCEPT;

/**
 * Writes the set as a safetensors file that is never half-written (ata_file_write() says how). It
 * may be the file that the set was opened from: the tensors are read from the old content.
 * @param file The set.
 * @param path File to write.
 */
ATA_API(ata_status)
ata_tensor_file_save(const ata_tensor_file* file, const char* path) ATA_NOEXCEPT;

/** @} */

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_alignment Alignment
 *  @ingroup c
 *  @{ */

/** How neighbouring frames are aligned; see the table in docs/alignment.md. */
ATA_ENUM(ata_alignment){
    /** One-to-one matching of maximum total similarity, solved exactly (Kuhn-Munkres). */
    ATA_ALIGNMENT_EXACT = 0,
    /** Identity: every trajectory stays at its position. */
    ATA_ALIGNMENT_NONE = 1,
    /** Each trajectory takes the most similar patch of the next frame; many-to-one. */
    ATA_ALIGNMENT_NEAREST = 2,
    /** Exact, but a patch moves at most `window_radius` patches in each direction. */
    ATA_ALIGNMENT_WINDOW = 3,
    /** Entropic optimal transport rounded to a matching. */
    ATA_ALIGNMENT_SINKHORN = 4,
    /** Softmax-weighted average of the next frame's tokens. */
    ATA_ALIGNMENT_SOFT = 5,
};

/** Parameters of an alignment. */
typedef struct ata_alignment_options {
  /** sizeof(ata_alignment_options). */
  size_t struct_size;
  /** The method. Default ::ATA_ALIGNMENT_EXACT. */
  ata_alignment method;
  /** `window`: largest move in patches, per axis (Chebyshev distance), at least 0. Default 3. */
  int32_t window_radius;
  /** `sinkhorn`, `soft`: temperature on the cosine scale, at least 1e-6. Default 0.05. */
  float temperature;
  /** `sinkhorn`: number of iterations, at least 1. Default 50. */
  int32_t iterations;
  /** Patch rows and columns of a frame; needed by `window` alone. 0 x 0: the grid is square. */
  int32_t grid_height;
  /** See `grid_height`. */
  int32_t grid_width;
  /** Where frames are aligned: "cpu" (the default when NULL), "cuda" or "cuda:1". A temporal block
   *  aligns on its own device, which alone may be named here. */
  const char* device;
  /** As ata_session_options::threads. A temporal block aligns with its own limit; 0 for it. */
  int32_t threads;
} ata_alignment_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_alignment_options).
 */
ATA_API(ata_status)
ata_alignment_options_init(ata_alignment_options* options, size_t struct_size) ATA_NOEXCEPT;

/**
 * Aligns the frames of a batch of clips by cosine similarity of their patch features.
 * `soft` has no trajectories and is ::ATA_UNSUPPORTED here. The results are in the host's memory.
 * @param features f32 `[B, T, N, D]`: B clips, T frames, N patches, D channels; of the host, or of
 *   the options' device.
 * @param options The method; NULL for exact.
 * @param trajectories Receives i32 `[B, T, N]`: the patch of frame t on trajectory n;
 *   `[b, 0, n] = n`. For `exact`, `none`, `window` and `sinkhorn` each frame is a permutation.
 * @param similarities Receives f32 `[B, T - 1, N]`: cosine similarity of trajectory n's patches in
 *   frames t and t + 1. May be NULL.
 */
ATA_API(ata_status)
ata_align(const ata_tensor* features, const ata_alignment_options* options,
          ata_tensor** trajectories, ata_tensor** similarities) ATA_NOEXCEPT;

/** Parameters of ata_assign(). */
typedef struct ata_assign_options {
  /** sizeof(ata_assign_options). */
  size_t struct_size;
  /** 1: maximise the total (similarities); 0: minimise it (costs). Default 1. */
  int32_t maximize;
  /** 1: the matching is optimal for the exact float32 values, whatever these are; 0: to the
   *  accuracy that ata_assign() states. Default 0. */
  int32_t polish;
  /** 1: prove each result by its dual gap, in arithmetic that bounds its own rounding errors, and
   *  solve again more precisely where the proof fails. The total is then within 1e-6 of the optimum
   *  relative to itself, too. Default 0. */
  int32_t certify;
  /** Where problems are solved: "cpu" (the default when NULL), "cuda" or "cuda:1". */
  const char* device;
  /** As ata_session_options::threads. */
  int32_t threads;
} ata_assign_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_assign_options).
 */
ATA_API(ata_status)
ata_assign_options_init(ata_assign_options* options, size_t struct_size) ATA_NOEXCEPT;

/**
 * Solves a batch of dense linear assignment problems, in parallel over the problems.
 *
 * The total of a matching is within 1e-6 of the optimum, relative to the sum of the absolute values
 * that it matches, for all finite values. Huge ones that stand for "not this pair" (1e9, FLT_MAX)
 * cost the others no accuracy, not even where they have to be matched: when the absolute values
 * matched, in order of size, leap by a factor of 1000 or more from one to the next, those above the
 * first leap do not count. (From 0 to anything else is a leap, so that beside a 0 nothing counts,
 * and the matching is optimal.) Results do not depend on the floating-point mode of the calling
 * thread: denormal values count, too.
 *
 * -infinity (when maximising; +infinity when minimising) forbids a pair; NaN is an error; when no
 * complete matching avoids the forbidden pairs the call fails with ::ATA_INFEASIBLE naming the
 * problem.
 * @param values f32 `[B, N, M]` or `[N, M]`, extents 1 to 4096; of the host, or of the options'
 *   device. Rectangular problems match every row of the smaller side.
 * @param options Options; NULL for the defaults.
 * @param matching Receives i32 `[B, N]` (or `[N]`), in the host's memory: the column of each row,
 * -1 for unmatched rows (N > M).
 * @param totals Receives `B` sums of the matched values, each to 1e-12 of itself, or NULL.
 * @param totals_capacity Length of `totals`; at least B when it is not NULL.
 */
ATA_API(ata_status)
ata_assign(const ata_tensor* values, const ata_assign_options* options, ata_tensor** matching,
           double* totals, size_t totals_capacity) ATA_NOEXCEPT;

/** Aligns live video: frames are added one at a time. One thread at a time. */
typedef struct ata_online_aligner ata_online_aligner;

/**
 * Creates an aligner without frames.
 * @param patches Patches of a frame, N.
 * @param channels Channels of a patch, D.
 * @param options The method and the device; NULL for exact on the CPU. `soft` is ::ATA_UNSUPPORTED.
 * @param aligner Receives the handle.
 */
ATA_API(ata_status)
ata_online_aligner_create(int64_t patches, int64_t channels, const ata_alignment_options* options,
                          ata_online_aligner** aligner) ATA_NOEXCEPT;

/** Releases a handle. @param aligner May be NULL. */
ATA_API(void) ata_online_aligner_release(ata_online_aligner* aligner) ATA_NOEXCEPT;

/**
 * Adds a frame and extends every trajectory by it. The positions equal those that ata_align() gives
 * for all frames at once.
 * @param aligner The aligner.
 * @param frame f32 `[N, D]`, of the host or of the aligner's device.
 * @param positions Receives N values: the patch of this frame on trajectory n.
 * @param similarities Receives N cosine similarities of trajectory n's patches in the previous
 *   frame and this one (1 for the first frame), or NULL.
 * @param capacity Length of `positions` and of `similarities`; must be N.
 */
ATA_API(ata_status)
ata_online_aligner_add(ata_online_aligner* aligner, const ata_tensor* frame, int32_t* positions,
                       float* similarities, size_t capacity) ATA_NOEXCEPT;

/** Forgets all frames, as after a cut. @param aligner The aligner. */
ATA_API(ata_status) ata_online_aligner_reset(ata_online_aligner* aligner) ATA_NOEXCEPT;

/** Estimators of mutual information. */
ATA_ENUM(ata_mi_estimator){
    /** Closed form for jointly Gaussian variables, from their covariances. */
    ATA_MI_GAUSSIAN = 0,
    /** k nearest neighbours (Kraskov, Stoegbauer, Grassberger, 2004). For continuous values alone:
     *  when more samples than neighbours, and more than one in a thousand, are tied (as many others
     *  as neighbours are equal to them, as patches of a black border are, or several are equally
     * far from them, as rounded values are) the call fails with ::ATA_INVALID_ARGUMENT, naming the
     *  ties. */
    ATA_MI_KSG = 1,
    /** Lower bound by contrast (van den Oord, Li, Vinyals, 2018), at most log of the batch. */
    ATA_MI_INFONCE = 2,
};

/** How mutual information is estimated. */
typedef struct ata_mi_options {
  /** sizeof(ata_mi_options). */
  size_t struct_size;
  /** Estimator. Default ::ATA_MI_GAUSSIAN. */
  ata_mi_estimator estimator;
  /** Samples are first projected to this many principal components; 0 for all. Default 8. */
  int32_t components;
  /** `ksg`: number of neighbours, at least 1. Default 3. */
  int32_t neighbours;
  /** `ksg`, `infonce`: at most this many pairs are used, evenly spaced ones; at least 16. Default
   *  4096. */
  int64_t max_pairs;
  /** As ata_session_options::threads. */
  int32_t threads;
} ata_mi_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_mi_options).
 */
ATA_API(ata_status)
ata_mi_options_init(ata_mi_options* options, size_t struct_size) ATA_NOEXCEPT;

/**
 * Estimates the mutual information of paired samples, on the CPU; the tensors are the host's.
 * Estimates scatter around the truth and may be
 * slightly negative near 0.
 * @param x f32 `[S, D]`, S pairs; each side is projected to its own principal components.
 * @param y f32 `[S, E]`.
 * @param options Options; NULL for the defaults.
 * @param nats Receives the estimate in nats.
 */
ATA_API(ata_status)
ata_mutual_information_estimate(const ata_tensor* x, const ata_tensor* y,
                                const ata_mi_options* options, double* nats) ATA_NOEXCEPT;

/**
 * Estimates the mutual information between the patches of neighbouring frames, I(X_t; X_t+1), over
 * all clips, frames and patches, before and after alignment, on the CPU; the tensors are the
 * host's. Both use the principal components of all patches.
 * @param features f32 `[B, T, N, D]`, T at least 2.
 * @param trajectories i32 `[B, T, N]` as ata_align() gives.
 * @param options Options; NULL for the defaults.
 * @param before Receives the estimate for patches at the same position, in nats.
 * @param after Receives the estimate for patches on the same trajectory, in nats.
 */
ATA_API(ata_status)
ata_temporal_information_estimate(const ata_tensor* features, const ata_tensor* trajectories,
                                  const ata_mi_options* options, double* before,
                                  double* after) ATA_NOEXCEPT;

/**
 * Solves assignment problems as ata_assign() does, in memory that it keeps, from and into the
 * caller's arrays. One thread at a time; a call spreads its problems over several threads.
 */
typedef struct ata_assigner ata_assigner;

/**
 * Creates an assigner. Its memory grows with the problems that it is given.
 * @param options Options of every call, the device among them; NULL for the defaults.
 * @param assigner Receives the handle.
 */
ATA_API(ata_status)
ata_assigner_create(const ata_assign_options* options, ata_assigner** assigner) ATA_NOEXCEPT;

/** Releases a handle. @param assigner May be NULL. */
ATA_API(void) ata_assigner_release(ata_assigner* assigner) ATA_NOEXCEPT;

/**
 * Solves a batch of problems of equal extents; what is said of the values, of accuracy and of
 * errors at ata_assign() holds here. All or nothing: when one problem fails, nothing is written for
 * any. A call allocates no memory when an earlier one had at least as many problems, rows and
 * columns, and no fewer threads.
 * @param assigner The assigner.
 * @param values `count` x `rows` x `columns` values, row-major. May be NULL when `count` is 0.
 * @param values_length Length of `values`; must be `count` x `rows` x `columns`.
 * @param count Number of problems, at least 0.
 * @param rows 1 to 4096.
 * @param columns 1 to 4096.
 * @param matching Receives `count` x `rows` columns: that of each row, -1 for unmatched rows (more
 *   rows than columns). May be NULL when `count` is 0.
 * @param matching_capacity Length of `matching`; at least `count` x `rows`.
 * @param totals Receives `count` sums of the matched values, or NULL.
 * @param totals_capacity Length of `totals`; at least `count` when it is not NULL.
 * @param column_duals `count` x `columns` prices in units of the values, or NULL; square problems
 *   only. The search starts from those that come in: the ones that a similar problem left, or
 * zeros. They are finite, and change the speed and not the total. Those of the solution go out: in
 * each row, value minus price is greatest (least, when minimising) at the matched column, up to the
 *   accuracy of the solution.
 * @param duals_capacity Length of `column_duals`; at least `count` x `columns` when it is not NULL.
 */
ATA_API(ata_status)
ata_assigner_solve(ata_assigner* assigner, const float* values, size_t values_length, int64_t count,
                   int64_t rows, int64_t columns, int32_t* matching, size_t matching_capacity,
                   double* totals, size_t totals_capacity, double* column_duals,
                   size_t duals_capacity) ATA_NOEXCEPT;

/** @} */

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_models Models
 *  @ingroup c
 *  @{ */

/** How a model looks over time. All modes share one set of parameters. */
ATA_ENUM(ata_temporal_mode){
    /** Temporal attention along aligned patches, then spatial attention. */
    ATA_TEMPORAL_ATA = 0,
    /** Temporal attention at fixed positions, then spatial attention. */
    ATA_TEMPORAL_DIVIDED = 1,
    /** One attention over all patches of all frames. */
    ATA_TEMPORAL_JOINT = 2,
    /** Frames one by one; class tokens averaged. */
    ATA_TEMPORAL_SPACE_ONLY = 3,
};

/** Arithmetic of a model. */
ATA_ENUM(ata_precision){
    /** 32-bit floating point. */
    ATA_PRECISION_F32 = 0,
    /** bfloat16 products with 32-bit accumulation; residual stream and normalisation in 32 bits. */
    ATA_PRECISION_BF16 = 1,
};

/** What follows the first layer of a model's MLPs. */
ATA_ENUM(ata_activation){
    /** GELU by the error function. */
    ATA_ACTIVATION_GELU = 0,
    /** x sigmoid(1.702 x), of OpenAI's CLIP. */
    ATA_ACTIVATION_QUICK_GELU = 1,
    /** GELU's approximation by the hyperbolic tangent. */
    ATA_ACTIVATION_GELU_TANH = 2,
};

/** Largest `image_size` and `patch_size` of a model in pixels, and `window_radius` in patches. */
#define ATA_MAX_IMAGE_SIZE 8192
/** Largest `dim` and `heads` of a model. */
#define ATA_MAX_DIM 16384
/** Largest `depth` and `align_every` of a model. */
#define ATA_MAX_DEPTH 1024
/** Largest number of frames of a model's clip. */
#define ATA_MAX_FRAMES 8192
/** Largest number of classes of a model. */
#define ATA_MAX_CLASSES 1000000
/** Largest number of iterations of ::ATA_ALIGNMENT_SINKHORN. */
#define ATA_MAX_ITERATIONS 1000000

/** A model's configuration, as in a checkpoint's `config`. */
typedef struct ata_model_config {
  /** sizeof(ata_model_config). */
  size_t struct_size;
  /** Kind of backbone: "vit". */
  const char* architecture;
  /** The architecture's own fields, a JSON object. Of "vit": `patch_size` (in pixels; divides
   *  image_size), `dim` (width of a token), `depth` (blocks), `heads` (divides dim), and, where
   * they are not the usual ones, `mlp_ratio` (4), `activation` ("gelu"; "quick_gelu", "gelu_tanh")
   * and `norm_eps` (1e-6; added to the variance in layer norms, 1e-15 to 1). NULL: ViT-Base's, or
   * the like of another architecture. */
  const char* backbone;
  /** Height and width of a frame in pixels. */
  int32_t image_size;
  /** Frames of a clip. */
  int32_t frames;
  /** Number of classes. */
  int32_t classes;
  /** Temporal mode. */
  ata_temporal_mode temporal;
  /** Alignment of mode ::ATA_TEMPORAL_ATA. */
  ata_alignment alignment;
  /** Mode `ata`: every how many blocks frames are aligned, at least 1; the blocks between reuse the
   *  last trajectories. */
  int32_t align_every;
  /** See ata_alignment_options::window_radius. */
  int32_t window_radius;
  /** See ata_alignment_options::temperature. */
  float temperature;
  /** See ata_alignment_options::iterations. */
  int32_t iterations;
  /** Per-channel mean that clips are normalised with, on the 0..1 scale. */
  float mean[3];
  /** Per-channel standard deviation that clips are normalised with. */
  float std[3];
} ata_model_config;

/**
 * Fills in the configuration of a usual size of an architecture: "vit-tiny", "vit-small",
 * "vit-base" or "vit-large" (patch 16, 224 pixels, 8 frames, 400 classes, mode `ata`).
 * @param size Name of the size.
 * @param config Receives the configuration; its strings are valid for ever.
 * @param struct_size sizeof(ata_model_config).
 */
ATA_API(ata_status)
ata_model_config_init(const char* size, ata_model_config* config, size_t struct_size) ATA_NOEXCEPT;

/** What a configuration comes to, whatever its architecture. */
typedef struct ata_model_dimensions {
  /** sizeof(ata_model_dimensions). */
  size_t struct_size;
  /** D: width of a patch token. */
  int64_t dim;
  /** Number of blocks. */
  int64_t depth;
  /** Patches along one side of a frame. */
  int64_t grid;
  /** N: patches of a frame. */
  int64_t patches;
  /** Values of all parameters of a new model. A checkpoint may hold more, which other modes read;
   * see ata_model_value_count(). */
  int64_t parameter_count;
} ata_model_dimensions;

/**
 * Tells what a configuration comes to.
 * @param config The configuration.
 * @param dimensions Receives it; its `struct_size` is set by the caller.
 */
ATA_API(ata_status)
ata_model_config_get_dimensions(const ata_model_config* config,
                                ata_model_dimensions* dimensions) ATA_NOEXCEPT;

/** How to load a model. */
typedef struct ata_model_options {
  /** sizeof(ata_model_options). */
  size_t struct_size;
  /** Where the model is and runs, and is trained: "cpu" (the default when NULL), "cuda" or
   *  "cuda:1". */
  const char* device;
  /** Arithmetic. Default ::ATA_PRECISION_F32. */
  ata_precision precision;
  /** Temporal mode, or -1 for the checkpoint's. */
  int32_t temporal;
  /** Alignment method, or -1 for the checkpoint's. */
  int32_t alignment;
  /** See ata_model_config; 0 for the checkpoint's. */
  int32_t align_every;
  /** See ata_model_config; -1 for the checkpoint's. */
  int32_t window_radius;
  /** See ata_model_config; 0 for the checkpoint's. */
  float temperature;
  /** See ata_model_config; 0 for the checkpoint's. */
  int32_t iterations;
  /** Frames of a clip, or 0 for the checkpoint's; embeddings are interpolated. */
  int32_t frames;
  /** Frame size in pixels, or 0 for the checkpoint's; embeddings are interpolated. */
  int32_t image_size;
  /** 1: interpolate the spatial embedding bicubically, as timm does, instead of by nearest
   *  neighbour. */
  int32_t bicubic_positions;
  /** 1: keep what ata_session_compute_gradients() and ata_model_save() need; 0 (the default):
   *  weights are kept only in the form that inference reads. */
  int32_t trainable;
} ata_model_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_model_options).
 */
ATA_API(ata_status)
ata_model_options_init(ata_model_options* options, size_t struct_size) ATA_NOEXCEPT;

/** Weights and configuration. Shared and read-only: any number of sessions and threads at once. */
typedef struct ata_model ata_model;

/**
 * Loads a checkpoint (safetensors with `__metadata__.config`).
 * @param path File to read.
 * @param options Options; NULL for the defaults.
 * @param model Receives the handle.
 */
ATA_API(ata_status)
ata_model_load(const char* path, const ata_model_options* options, ata_model** model) ATA_NOEXCEPT;

/**
 * Makes a model with random weights (truncated normal of deviation 0.02, in the blocks' matrices
 * times the root of 768 / width, in the time embedding 0.5; biases and `temporal_fc` zero; norms
 * one). The result is trainable.
 * @param config Its configuration.
 * @param seed Seed; the same seed gives the same weights on every machine and device.
 * @param device Where the model is and runs, and is trained; NULL for "cpu".
 * @param model Receives the handle.
 */
ATA_API(ata_status)
ata_model_create(const ata_model_config* config, uint64_t seed, const char* device,
                 ata_model** model) ATA_NOEXCEPT;

/**
 * Makes a copy of a trainable model with a new head: random weights, of a new model's deviation,
 * and zero biases, without labels. The rest is the same.
 * @param model The model; ::ATA_UNSUPPORTED unless it is trainable.
 * @param classes Number of classes of the new head.
 * @param seed Seed of its weights.
 * @param replaced Receives a handle on the copy.
 */
ATA_API(ata_status)
ata_model_replace_head(const ata_model* model, int32_t classes, uint64_t seed,
                       ata_model** replaced) ATA_NOEXCEPT;

/** Origin of a foreign checkpoint. */
ATA_ENUM(ata_checkpoint_source){
    /** Recognise by the tensors' names. */
    ATA_CHECKPOINT_AUTO = 0,
    /** timm's VisionTransformer: AugReg, DINO, MAE, DeiT, DeiT-3, DINOv2, CLIP. */
    ATA_CHECKPOINT_TIMM = 1,
    /** The visual tower of CLIP, under the names of OpenAI (and OpenCLIP) or Hugging Face. */
    ATA_CHECKPOINT_CLIP = 2,
    /** TimeSformer, under its own names or Hugging Face's. */
    ATA_CHECKPOINT_TIMESFORMER = 3,
    /** DINOv2, under its own names or Hugging Face's. */
    ATA_CHECKPOINT_DINOV2 = 4,
    /** Hugging Face's ViT, which DeiT and MAE are there too. */
    ATA_CHECKPOINT_HF_VIT = 5,
};

/** How a spatial embedding is interpolated to another grid of patches. */
ATA_ENUM(ata_positions){
    /** As the original's own code does it: nearest for TimeSformer, else bicubic. */
    ATA_POSITIONS_AUTO = 0,
    /** The nearest position. */
    ATA_POSITIONS_NEAREST = 1,
    /** Bicubically, as timm does (with antialiasing). */
    ATA_POSITIONS_BICUBIC = 2,
};

/** How to import a foreign checkpoint. What is left at its default is read from the configuration
 *  files beside the checkpoint (`config.json` of Hugging Face or timm, `open_clip_config.json`,
 *  `preprocessor_config.json`), else taken from what all models of the family share. What nobody
 *  says is an error that names the field. */
typedef struct ata_import_options {
  /** sizeof(ata_import_options). */
  size_t struct_size;
  /** Origin. Default ::ATA_CHECKPOINT_AUTO. */
  ata_checkpoint_source source;
  /** Frames of a clip, or 0: the checkpoint's, else 8. */
  int32_t frames;
  /** An ::ata_temporal_mode, or -1 (the default): the one that the checkpoint's network has; `ata`
   *  for a network of images. */
  int32_t temporal;
  /** Classes, or 0: as many as the checkpoint's head, or 400 if it has none. A head of another size
   *  is replaced by a new one. */
  int32_t classes;
  /** Attention heads, or 0. No tensor tells. */
  int32_t heads;
  /** Seed of what must be initialised. */
  uint64_t seed;
  /** Nonzero: a time embedding that the checkpoint lacks is random, as a new model's, so that in
   *  fine-tuning attention over time tells before from after at once; 0 (the default): it is zero,
   *  which leaves an image model as it was. */
  int32_t random_times;
  /** Height and width of a frame in pixels, or 0: what the spatial embedding was made for. It is
   *  interpolated to another size. */
  int32_t image_size;
  /** How. Default ::ATA_POSITIONS_AUTO. */
  ata_positions positions;
  /** An ::ata_activation, or -1 (the default). */
  int32_t activation;
  /** Added to the variance in layer norms, 1e-15 to 1; 0 (the default). */
  float norm_eps;
  /** Per-channel mean that the original's pixels were normalised with; see `std`. */
  float mean[3];
  /** Per-channel standard deviation; all zero (the default): neither it nor `mean` is given. */
  float std[3];
  /** Where the weights are among the nested dictionaries of a PyTorch file, such as "model_state";
   *  NULL (the default): under the usual keys. */
  const char* key;
  /** Patterns of tensor names, with `*` and `?`: such tensors are left out, whatever they do.
   *  NULL for none. */
  const char* const* ignore;
  /** Their number. */
  size_t ignore_count;
  /** Nonzero: the configuration files beside the checkpoint are not read. */
  int32_t tensors_only;
  /** Where the model is and runs, and is trained: "cpu" (the default when NULL), "cuda" or
   * "cuda:1". Weights are converted on the CPU. */
  const char* device;
} ata_import_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_import_options).
 */
ATA_API(ata_status)
ata_import_options_init(ata_import_options* options, size_t struct_size) ATA_NOEXCEPT;

/**
 * Reads a foreign checkpoint: safetensors, shards with their index, a PyTorch file (of which
 * nothing is executed), or the folder of one. The model computes what the original computed.
 * Image weights fill `attn`, `norm1`, ...; where the temporal mode needs more than the file has,
 * `temporal_attn` and `temporal_norm1` start as copies and `temporal_fc` at zero. The result is
 * trainable, and ata_model_get_import_note() tells what became of the file.
 *
 * Every tensor of the file is accounted for: one that is neither used nor known to do without
 * (such as a text tower), a missing one, and one that configuration files contradict are
 * ::ATA_BAD_MODEL.
 * @param path File or folder to read.
 * @param options Options; NULL for the defaults.
 * @param model Receives the handle.
 */
ATA_API(ata_status)
ata_model_import(const char* path, const ata_import_options* options,
                 ata_model** model) ATA_NOEXCEPT;

/** What a note about an import is about. */
ATA_ENUM(ata_import_note_kind){
    /** Something that the file, or a configuration file beside it, says. */
    ATA_IMPORT_FOUND = 0,
    /** Something that nobody said, taken from what models of the family share. */
    ATA_IMPORT_ASSUMED = 1,
    /** Weights that were converted. */
    ATA_IMPORT_CONVERTED = 2,
    /** Weights that the file does not have; they need training. */
    ATA_IMPORT_NEW = 3,
    /** A tensor, or another object of the file, that was left out. */
    ATA_IMPORT_IGNORED = 4,
};

/** @param model The model. @return How many notes its import left; 0 for a model that was not
 *  imported, and for NULL. */
ATA_API(size_t) ata_model_import_note_count(const ata_model* model) ATA_NOEXCEPT;

/**
 * Reads a note about a model's import: how each thing that is not simply the file's came about.
 * @param model The model.
 * @param index 0 to count - 1.
 * @param kind Receives its kind.
 * @param subject Receives the field, the weights or the tensor that it is about, valid while the
 *   handle lives.
 * @param text Receives what is to be said of it, valid while the handle lives.
 */
ATA_API(ata_status)
ata_model_get_import_note(const ata_model* model, size_t index, ata_import_note_kind* kind,
                          const char** subject, const char** text) ATA_NOEXCEPT;

/**
 * Writes a trainable model's checkpoint; `path` is never half-written.
 * @param model The model.
 * @param path File to write.
 */
ATA_API(ata_status) ata_model_save(const ata_model* model, const char* path) ATA_NOEXCEPT;

/** Releases a handle; sessions keep the weights alive. @param model May be NULL. */
ATA_API(void) ata_model_release(ata_model* model) ATA_NOEXCEPT;

/**
 * Reads a model's configuration.
 * @param model The model.
 * @param config Receives it; its `struct_size` is set by the caller. Its strings are valid while
 * the handle lives.
 */
ATA_API(ata_status)
ata_model_get_config(const ata_model* model, ata_model_config* config) ATA_NOEXCEPT;

/**
 * Names a class.
 * @param model The model.
 * @param index 0 to classes - 1.
 * @param label Receives the label, valid while the handle lives; NULL if the model has no labels.
 */
ATA_API(ata_status)
ata_model_get_label(const ata_model* model, int32_t index, const char** label) ATA_NOEXCEPT;

/**
 * Names the classes of a model that no session uses yet.
 * @param model The model.
 * @param labels As many UTF-8 strings as the model has classes.
 * @param count Their number.
 */
ATA_API(ata_status)
ata_model_set_labels(ata_model* model, const char* const* labels, size_t count) ATA_NOEXCEPT;

/** @param model The model. @return How many parameter tensors it has; 0 for NULL. */
ATA_API(size_t) ata_model_parameter_count(const ata_model* model) ATA_NOEXCEPT;

/** @param model The model. @return How many values its parameter tensors hold together; 0 for
 *  NULL. */
ATA_API(int64_t) ata_model_value_count(const ata_model* model) ATA_NOEXCEPT;

/**
 * Names a parameter tensor.
 * @param model The model.
 * @param index 0 to count - 1.
 * @param name Receives the name as in the checkpoint, valid while the handle lives.
 */
ATA_API(ata_status)
ata_model_get_parameter_name(const ata_model* model, size_t index, const char** name) ATA_NOEXCEPT;

/**
 * Tells which device a model is on. Its sessions and trainers run there.
 * @param model The model.
 * @param device Receives the device's name, which lives as long as the process.
 */
ATA_API(ata_status)
ata_model_get_device(const ata_model* model, const char** device) ATA_NOEXCEPT;

/** Workspace and stream of one sequence of runs on a model, on the model's device. Clips come from
 *  the host's memory or from that device; what is read goes to the host's. One thread at a time. */
typedef struct ata_session ata_session;

/** Options of a session. */
typedef struct ata_session_options {
  /** sizeof(ata_session_options). */
  size_t struct_size;
  /** A queue of the model's device on which the session does its work, in order with the caller's:
   * a cudaStream_t. The caller keeps it until the session is released. NULL: the session has one of
   * its own. A stream that is no stream of the device is ::ATA_INVALID_ARGUMENT; the CPU has none.
   */
  void* stream;
  /** Most threads that a call uses, the calling one included: at most ::ATA_MAX_THREADS; 0 (the
   *  default), or more than ata_thread_count(), for as many as that. Sessions of one thread each
   * run beside one another without waiting for each other. Results do not depend on it. */
  int32_t threads;
} ata_session_options;

/**
 * Fills in the defaults: a queue of its own, and no limit of threads.
 * @param options Receives them.
 * @param struct_size sizeof(ata_session_options).
 */
ATA_API(ata_status)
ata_session_options_init(ata_session_options* options, size_t struct_size) ATA_NOEXCEPT;

/**
 * Creates a session. It keeps the model's weights alive.
 * @param model The model.
 * @param options Options; NULL for the defaults.
 * @param session Receives the handle.
 */
ATA_API(ata_status)
ata_session_create(const ata_model* model, const ata_session_options* options,
                   ata_session** session) ATA_NOEXCEPT;

/** Releases a handle. @param session May be NULL. */
ATA_API(void) ata_session_release(ata_session* session) ATA_NOEXCEPT;

/**
 * What one run of a model gives, into the caller's memory. A NULL buffer is not wanted; the lengths
 * are checked before the run.
 */
typedef struct ata_session_outputs {
  /** sizeof(ata_session_outputs). */
  size_t struct_size;
  /** Receives `[B, classes]`. */
  float* logits;
  /** Length of `logits`. */
  size_t logits_count;
  /** Receives `[B, D]`: the class token that the head reads, after the last normalisation (in mode
   *  ::ATA_TEMPORAL_SPACE_ONLY its mean over the frames). */
  float* class_token;
  /** Length of `class_token`. */
  size_t class_token_count;
  /** Blocks whose features are wanted, in any order, each once: 0 to depth - 1; depth for the
   *  output of the last block. */
  const int32_t* feature_blocks;
  /** Length of `feature_blocks`. */
  size_t feature_block_count;
  /** Receives `[feature_block_count, B, T, N, D]`: the patch tokens that enter each of the blocks
   *  (what alignment sees), class tokens excluded. */
  float* features;
  /** Length of `features`. */
  size_t features_count;
  /** Blocks whose trajectories are wanted, in any order, each once: 0 to depth - 1. */
  const int32_t* trajectory_blocks;
  /** Length of `trajectory_blocks`. */
  size_t trajectory_block_count;
  /** Receives `[trajectory_block_count, B, T, N]`. */
  int32_t* trajectories;
  /** Length of `trajectories`. */
  size_t trajectories_count;
} ata_session_outputs;

/**
 * Fills in that nothing is wanted.
 * @param outputs Receives it.
 * @param struct_size sizeof(ata_session_outputs).
 */
ATA_API(ata_status)
ata_session_outputs_init(ata_session_outputs* outputs, size_t struct_size) ATA_NOEXCEPT;

/**
 * Runs the model once and gives all that is wanted of that pass, which goes no further than that
 * needs. Each result has the bits that it has alone. ::ATA_NOT_FINITE when the model computes a NaN
 * or an infinity. Trajectories are ::ATA_UNSUPPORTED unless the model runs in mode
 * ::ATA_TEMPORAL_ATA with a method that has them.
 * @param session The session.
 * @param clip f32 `[B, 3, T, H, W]`, normalised; T, H and W as in the model's configuration.
 * @param cancellation May be NULL.
 * @param outputs What is wanted, and where it goes. On failure no buffer is touched.
 */
ATA_API(ata_status)
ata_session_run(ata_session* session, const ata_tensor* clip, const ata_cancellation* cancellation,
                const ata_session_outputs* outputs) ATA_NOEXCEPT;

/**
 * Classifies clips: ata_session_run() for logits alone, and with its errors.
 * @param session The session.
 * @param clip f32 `[B, 3, T, H, W]`, normalised; T, H and W as in the model's configuration.
 * @param cancellation May be NULL.
 * @param logits Receives B x classes values.
 * @param logits_count Length of `logits`; must be B x classes.
 */
ATA_API(ata_status)
ata_session_forward(ata_session* session, const ata_tensor* clip,
                    const ata_cancellation* cancellation, float* logits,
                    size_t logits_count) ATA_NOEXCEPT;

/**
 * Classifies clips and computes the mean cross-entropy and its gradient with respect to every
 * parameter. The model must be trainable. ::ATA_NOT_FINITE when logits or loss are not.
 * @param session The session.
 * @param clip f32 `[B, 3, T, H, W]`.
 * @param labels i64 `[B]`, each 0 to classes - 1.
 * @param cancellation May be NULL.
 * @param logits Receives B x classes values.
 * @param logits_count Length of `logits`; must be B x classes.
 * @param loss Receives the loss.
 */
ATA_API(ata_status)
ata_session_compute_gradients(ata_session* session, const ata_tensor* clip,
                              const ata_tensor* labels, const ata_cancellation* cancellation,
                              float* logits, size_t logits_count, float* loss) ATA_NOEXCEPT;

/**
 * Reads a gradient of the last ata_session_compute_gradients(); ::ATA_INVALID_STATE before it.
 * @param session The session.
 * @param name Parameter name; ::ATA_UNKNOWN_NAME if the model has no such parameter.
 * @param gradient Receives a new f32 tensor of the parameter's shape.
 */
ATA_API(ata_status)
ata_session_get_gradient(const ata_session* session, const char* name,
                         ata_tensor** gradient) ATA_NOEXCEPT;

/**
 * Reads the trajectories of the last run. ::ATA_UNSUPPORTED unless the model runs in mode
 * ::ATA_TEMPORAL_ATA with a method that has trajectories; ::ATA_INVALID_STATE if no run reached the
 * block.
 * @param session The session.
 * @param block 0 to depth - 1.
 * @param trajectories Receives a new i32 tensor `[B, T, N]`.
 */
ATA_API(ata_status)
ata_session_get_trajectories(const ata_session* session, int32_t block,
                             ata_tensor** trajectories) ATA_NOEXCEPT;

/**
 * Loads a checkpoint that is in memory, as ata_model_load() loads a file of these bytes. They are
 * read before the function returns, and not kept.
 * @param data The file's bytes.
 * @param size Their number.
 * @param name What messages call it; NULL for "<memory>".
 * @param options Options; NULL for the defaults.
 * @param model Receives the handle.
 */
ATA_API(ata_status)
ata_model_load_memory(const void* data, size_t size, const char* name,
                      const ata_model_options* options, ata_model** model) ATA_NOEXCEPT;

/** @} */

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_temporal_block Temporal attention for other backbones
 *  @ingroup c
 *  @{ */

/** Parameters of a temporal block. */
typedef struct ata_temporal_block_options {
  /** sizeof(ata_temporal_block_options). */
  size_t struct_size;
  /** Where the block is and runs: "cpu" (the default when NULL), "cuda" or "cuda:1". */
  const char* device;
  /** Arithmetic; features and weights are f32 either way. Default ::ATA_PRECISION_F32. */
  ata_precision precision;
  /** Attention heads, which divide the channels; 0 (the default): one for every 64 channels. */
  int32_t heads;
  /** Seed of the initial weights. Default 0. */
  uint64_t seed;
  /** As ata_session_options::threads. */
  int32_t threads;
} ata_temporal_block_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_temporal_block_options).
 */
ATA_API(ata_status)
ata_temporal_block_options_init(ata_temporal_block_options* options,
                                size_t struct_size) ATA_NOEXCEPT;

/**
 * Attention over time along trajectories, to plug into any image backbone: it aligns the frames of
 * features, and adds to each patch what attention gathers along its trajectory. Its weights are
 * those of a block's temporal step: `temporal_norm1.weight`, `temporal_norm1.bias`,
 * `temporal_attn.qkv.weight`, ... `temporal_fc.bias`. `temporal_fc` starts at zero, so that a
 * pretrained backbone is at first unchanged. One thread at a time.
 */
typedef struct ata_temporal_block ata_temporal_block;

/**
 * Creates a block with random weights.
 * @param channels Channels of a patch, D.
 * @param options Options; NULL for the defaults.
 * @param alignment How frames are aligned; NULL for exact. ::ATA_ALIGNMENT_NONE attends at fixed
 *   positions.
 * @param block Receives the handle.
 */
ATA_API(ata_status)
ata_temporal_block_create(int64_t channels, const ata_temporal_block_options* options,
                          const ata_alignment_options* alignment,
                          ata_temporal_block** block) ATA_NOEXCEPT;

/** Releases a handle; parameters read from it stay valid. @param block May be NULL. */
ATA_API(void) ata_temporal_block_release(ata_temporal_block* block) ATA_NOEXCEPT;

/**
 * Runs the block.
 * @param block The block.
 * @param features Finite f32 `[B, T, N, D]`, or feature maps `[B, T, D, H, W]`, whose H x W patches
 *   are also the grid of ::ATA_ALIGNMENT_WINDOW; of the host, or of the block's device. Class
 * tokens have no place here.
 * @param for_backward Nonzero: keep what ata_temporal_block_backward() needs.
 * @param output Receives a new f32 tensor of the same shape, in the memory that the features are
 * in.
 */
ATA_API(ata_status)
ata_temporal_block_forward(ata_temporal_block* block, const ata_tensor* features,
                           int32_t for_backward, ata_tensor** output) ATA_NOEXCEPT;

/**
 * Runs the block along trajectories that are given, instead of aligning the features: those of
 * another layer, of ata_align() on other features, of a tracker. The block's own alignment is not
 * used. Where several trajectories meet in a patch, the mean of what they gather is added; patches
 * that none visits keep their value.
 * @param block The block.
 * @param features As for ata_temporal_block_forward().
 * @param trajectories i32 `[B, T, N]`: the patch of frame t on trajectory n, 0 to N - 1.
 * @param for_backward Nonzero: keep what ata_temporal_block_backward() needs.
 * @param output Receives a new f32 tensor of the features' shape, in the memory that they are in.
 */
ATA_API(ata_status)
ata_temporal_block_forward_along(ata_temporal_block* block, const ata_tensor* features,
                                 const ata_tensor* trajectories, int32_t for_backward,
                                 ata_tensor** output) ATA_NOEXCEPT;

/**
 * Goes back through the last forward, once; ::ATA_INVALID_STATE when there is none that keeps what
 * this needs. Trajectories are constants for the gradient.
 * @param block The block.
 * @param gradient Gradient of the output, f32 of its shape; of the host, or of the block's device.
 * @param features_gradient Receives the gradient of the features, a new f32 tensor in the memory
 *   that `gradient` is in.
 */
ATA_API(ata_status)
ata_temporal_block_backward(ata_temporal_block* block, const ata_tensor* gradient,
                            ata_tensor** features_gradient) ATA_NOEXCEPT;

/** @param block The block. @return How many parameter tensors it has; 0 for NULL. */
ATA_API(size_t)
ata_temporal_block_parameter_count(const ata_temporal_block* block) ATA_NOEXCEPT;

/**
 * Names a parameter tensor.
 * @param block The block.
 * @param index 0 to count - 1.
 * @param name Receives the name, valid while the handle lives.
 */
ATA_API(ata_status)
ata_temporal_block_get_parameter_name(const ata_temporal_block* block, size_t index,
                                      const char** name) ATA_NOEXCEPT;

/**
 * Opens a parameter: an f32 tensor that shares the block's memory, on the block's device. Writing
 * to it, between a backward and the next forward, changes the block; ata_tensor_copy_into() does so
 * on any device.
 * @param block The block.
 * @param name Parameter name; ::ATA_UNKNOWN_NAME if the block has no such parameter.
 * @param parameter Receives the tensor.
 */
ATA_API(ata_status)
ata_temporal_block_get_parameter(const ata_temporal_block* block, const char* name,
                                 ata_tensor** parameter) ATA_NOEXCEPT;

/**
 * Reads a parameter's gradient, of the last ata_temporal_block_backward(); ::ATA_INVALID_STATE
 * before it.
 * @param block The block.
 * @param name Parameter name; ::ATA_UNKNOWN_NAME if the block has no such parameter.
 * @param gradient Receives a new f32 tensor of the parameter's shape, in the host's memory.
 */
ATA_API(ata_status)
ata_temporal_block_get_gradient(const ata_temporal_block* block, const char* name,
                                ata_tensor** gradient) ATA_NOEXCEPT;

/**
 * Reads the trajectories of the last forward. ::ATA_UNSUPPORTED for ::ATA_ALIGNMENT_SOFT, unless
 * they were given; ::ATA_INVALID_STATE before it.
 * @param block The block.
 * @param trajectories Receives a new i32 tensor `[B, T, N]`.
 */
ATA_API(ata_status)
ata_temporal_block_get_trajectories(const ata_temporal_block* block,
                                    ata_tensor** trajectories) ATA_NOEXCEPT;

/** @} */

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_training Training
 *  @ingroup c
 *  @{ */

/** Update rules. */
ATA_ENUM(ata_optimizer){
    /** Adam with decoupled weight decay (Loshchilov and Hutter, 2019). */
    ATA_OPTIMIZER_ADAMW = 0,
    /** Stochastic gradient descent with momentum; decay is added to the gradient. */
    ATA_OPTIMIZER_SGD = 1,
};

/** How a model is trained. */
typedef struct ata_train_options {
  /** sizeof(ata_train_options). */
  size_t struct_size;
  /** Update rule. Default ::ATA_OPTIMIZER_ADAMW. */
  ata_optimizer optimizer;
  /** AdamW: decay of the first moment, in [0, 1). Default 0.9. */
  float beta1;
  /** AdamW: decay of the second moment, in [0, 1). Default 0.999. */
  float beta2;
  /** AdamW: added to the root of the second moment, above 0. Default 1e-8. */
  float epsilon;
  /** SGD: momentum in [0, 1). Default 0.9. */
  float momentum;
  /** SGD: 1 for Nesterov's form. Default 0. */
  int32_t nesterov;
  /** Weight decay, at least 0, applied to matrices and kernels but not to biases, norms,
   *  `cls_token`, `pos_embed` and `time_embed`. Default 0.05. */
  float weight_decay;
  /** Factor of the learning rate from one block to the one before it, in (0, 1]; 1 for none. The
   *  head has the full rate, the embeddings the smallest. Default 1. */
  float layer_decay;
  /** Factor of the learning rate of new parameters, above 0. Default 1. */
  float new_parameter_scale;
  /** Comma-separated patterns (`*`, `?`) of the new parameters; NULL (the default) for
   *  "*temporal_*,time_embed,head.*". */
  const char* new_parameters;
  /** Comma-separated patterns of parameters that are not trained; NULL (the default) for none. */
  const char* frozen;
  /** Largest global norm of the gradient; 0 for no clipping. Default 1. */
  float clip_norm;
  /** Label smoothing in [0, 1). Default 0. */
  float label_smoothing;
  /** Stochastic depth (Huang et al., 2016): probability in [0, 1) of dropping a sample's residual
   *  branches in the last block, growing linearly from 0 in the first. Default 0. */
  float stochastic_depth;
  /** Dropout probability in [0, 1) after attention projections, in the MLP and before the head.
   *  Default 0. */
  float dropout;
  /** Decay of the exponential moving average of weights, in [0, 1); 0 for no average. Default 0. */
  float ema_decay;
  /** Arithmetic of forward and backward; master weights are always f32. Default
   *  ::ATA_PRECISION_F32. */
  ata_precision precision;
  /** 1: keep only each block's input and compute the rest again in the backward pass. Default 0. */
  int32_t recompute;
  /** Seed of dropout and stochastic depth. Default 0. */
  uint64_t seed;
  /** As ata_session_options::threads. */
  int32_t threads;
} ata_train_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_train_options).
 */
ATA_API(ata_status)
ata_train_options_init(ata_train_options* options, size_t struct_size) ATA_NOEXCEPT;

/** Trains a model, on the model's device: gradients, optimizer, average of weights. Clips and
 * targets come from the host's memory or from that device. One thread at a time; while a step runs,
 * no session of the model may run. */
typedef struct ata_trainer ata_trainer;

/**
 * Creates a trainer, which updates the model's weights in place and keeps them alive.
 * @param model A trainable model.
 * @param options Options; NULL for the defaults.
 * @param trainer Receives the handle.
 */
ATA_API(ata_status)
ata_trainer_create(ata_model* model, const ata_train_options* options,
                   ata_trainer** trainer) ATA_NOEXCEPT;

/** Releases a handle. @param trainer May be NULL. */
ATA_API(void) ata_trainer_release(ata_trainer* trainer) ATA_NOEXCEPT;

/**
 * Runs forward and backward on one batch and adds `weight` times the gradient of its mean loss to
 * what has been accumulated since the last update. On failure nothing is accumulated. A loss that
 * is not finite is ::ATA_NOT_FINITE.
 *
 * On a GPU the call waits once, for its results. To have the next batch's clips on the way
 * meanwhile, let another thread call ata_tensor_copy() to the model's device and hand over the
 * copy: it has a stream of its own, and is complete when the call returns. The copy may be
 * released as soon as this call has returned.
 * @param trainer The trainer.
 * @param clips f32 `[B, 3, T, H, W]`, normalised; of the host or of the model's device.
 * @param targets i64 `[B]` labels, or f32 `[B, classes]` probabilities (mixup, cutmix).
 * @param weight Factor of this batch, e.g. 1 / number of batches accumulated.
 * @param cancellation May be NULL.
 * @param logits Receives B x classes values, or NULL.
 * @param logits_count Length of `logits`; B x classes when it is not NULL.
 * @param loss Receives the mean cross-entropy of the batch.
 */
ATA_API(ata_status)
ata_trainer_accumulate(ata_trainer* trainer, const ata_tensor* clips, const ata_tensor* targets,
                       float weight, const ata_cancellation* cancellation, float* logits,
                       size_t logits_count, float* loss) ATA_NOEXCEPT;

/**
 * Clips the accumulated gradient, updates the weights and their average, and clears the gradient.
 * A gradient that is not finite is ::ATA_NOT_FINITE naming the parameter; it is cleared and the
 * weights stay as they were. ::ATA_INVALID_STATE when nothing was accumulated since the last
 * update.
 *
 * When the device fails, weights and gradient are as before and the call can be made again; unless
 * the device is lost with the whole update under way: then every call of the trainer is
 * ::ATA_INVALID_STATE until ata_trainer_load() has brought a saved state.
 * @param trainer The trainer.
 * @param learning_rate Rate of this update, at least 0.
 * @param gradient_norm Receives the global norm before clipping, or NULL.
 */
ATA_API(ata_status)
ata_trainer_update(ata_trainer* trainer, double learning_rate, double* gradient_norm) ATA_NOEXCEPT;

/** @param trainer The trainer. @return How many updates were made; 0 for NULL. */
ATA_API(int64_t) ata_trainer_update_count(const ata_trainer* trainer) ATA_NOEXCEPT;

/**
 * Copies the moving average of the weights into a new trainable model on the same device, or the
 * weights themselves if no average is kept.
 * @param trainer The trainer.
 * @param model Receives the handle.
 */
ATA_API(ata_status)
ata_trainer_get_averaged_model(const ata_trainer* trainer, ata_model** model) ATA_NOEXCEPT;

/**
 * Writes everything that training needs to continue bit for bit: weights, moments, average,
 * counters, random state. A safetensors file; `path` is never half-written.
 * @param trainer The trainer.
 * @param path File to write.
 * @param state The caller's own state, stored as metadata `state`; NULL for none.
 */
ATA_API(ata_status)
ata_trainer_save(const ata_trainer* trainer, const char* path, const char* state) ATA_NOEXCEPT;

/**
 * Restores what ata_trainer_save() wrote into a trainer of an equal model and equal options. On
 * failure the trainer is unchanged.
 * @param trainer The trainer.
 * @param path File to read.
 */
ATA_API(ata_status) ata_trainer_load(ata_trainer* trainer, const char* path) ATA_NOEXCEPT;

/** @} */

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_video Video
 *  @ingroup c
 *  @{ */

/** An open video: a file, on disk or in memory, or a folder of numbered JPEG or PNG frames. */
typedef struct ata_video ata_video;

/** How to open a video. */
typedef struct ata_video_options {
  /** sizeof(ata_video_options). */
  size_t struct_size;
  /** Frames per second of a folder of images. Default 25. */
  double folder_fps;
  /** Decoding threads of this reader, at most ::ATA_MAX_THREADS; 0 (the default) lets the codec
   *  choose. */
  int32_t threads;
  /**
   * Largest decoded size, in bytes, that the reader keeps in memory: a video of at most this size
   * is decoded whole at the first read, and later reads decode nothing. 0, the default, keeps none.
   * What is read does not depend on it.
   */
  int64_t keep_bytes;
} ata_video_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_video_options).
 */
ATA_API(ata_status)
ata_video_options_init(ata_video_options* options, size_t struct_size) ATA_NOEXCEPT;

/**
 * Opens a video (any container and codec that FFmpeg's libraries read) or a folder of images.
 * @param path File or folder.
 * @param options Options; NULL for the defaults.
 * @param video Receives the handle.
 */
ATA_API(ata_status)
ata_video_open(const char* path, const ata_video_options* options, ata_video** video) ATA_NOEXCEPT;

/** Releases a handle. @param video May be NULL. */
ATA_API(void) ata_video_release(ata_video* video) ATA_NOEXCEPT;

/** What a video is. */
typedef struct ata_video_info {
  /** sizeof(ata_video_info). */
  size_t struct_size;
  /** Width in pixels as shown: rotation and pixel aspect ratio applied. */
  int32_t width;
  /** Height in pixels as shown. */
  int32_t height;
  /** Average frame rate in frames per second. */
  double fps;
  /** Duration in seconds from the first frame to the end of the last. */
  double duration;
  /** Number of frames: exact if the container says, else estimated from duration and rate. */
  int64_t frame_count;
  /** Clockwise rotation that was applied: 0, 90, 180 or 270 degrees. */
  int32_t rotation;
  /** Bits per colour component in the file. */
  int32_t bit_depth;
  /** Name of the codec, zero-terminated. */
  char codec[32];
} ata_video_info;

/**
 * Describes a video.
 * @param video The video.
 * @param info Receives the description; its `struct_size` is set by the caller.
 */
ATA_API(ata_status) ata_video_get_info(const ata_video* video, ata_video_info* info) ATA_NOEXCEPT;

/**
 * Tells how much memory the frames that a reader keeps take (ata_video_options.keep_bytes).
 * @param video The video.
 * @param bytes Receives bytes: 0 before the first read, and if the video is too large or damaged.
 */
ATA_API(ata_status) ata_video_get_kept_bytes(const ata_video* video, int64_t* bytes) ATA_NOEXCEPT;

/**
 * Decodes the frames shown at given times: for each time the last frame that starts at or before
 * it (the first frame for earlier times). Seeks, and decodes only what is needed.
 * @param video The video.
 * @param times Seconds from the first frame, ascending.
 * @param count Number of times, at least 1.
 * @param cancellation May be NULL.
 * @param frames Receives u8 `[count, H, W, 3]`, RGB, upright, square pixels.
 * @param frame_times Receives `count` start times of the decoded frames, or NULL.
 */
ATA_API(ata_status)
ata_video_read(ata_video* video, const double* times, size_t count,
               const ata_cancellation* cancellation, ata_tensor** frames,
               double* frame_times) ATA_NOEXCEPT;

/** How the frames of a clip are spread over time. */
ATA_ENUM(ata_sampling_kind){
    /** T frames, `stride` apart, starting at an offset. */
    ATA_SAMPLING_DENSE = 0,
    /** One frame from each of T equal segments of the whole video (TSN). */
    ATA_SAMPLING_SEGMENTS = 1,
};

/** What to do with a video that is shorter than the clip. */
ATA_ENUM(ata_short_policy){
    /** Fail with ::ATA_BAD_VIDEO. */
    ATA_SHORT_ERROR = 0,
    /** Repeat the last frame. */
    ATA_SHORT_REPEAT_LAST = 1,
    /** Start again from the first frame. */
    ATA_SHORT_LOOP = 2,
};

/** Interpolation when resizing. */
ATA_ENUM(ata_interpolation){
    /** Linear, widened when shrinking (antialiased). */
    ATA_BILINEAR = 0,
    /** Catmull-Rom-like cubic (a = -0.5), widened when shrinking (antialiased). */
    ATA_BICUBIC = 1,
};

/** Largest `stride` of a clip in frames, and largest rate in frames per second. */
#define ATA_MAX_RATE 1000000
/** Largest `offset` of a clip in seconds. */
#define ATA_MAX_SECONDS 1000000000

/** Which frames make up a clip and what is done to them. */
typedef struct ata_clip_options {
  /** sizeof(ata_clip_options). */
  size_t struct_size;
  /** Spread over time. Default ::ATA_SAMPLING_DENSE. */
  ata_sampling_kind sampling;
  /** Number of frames T, 1 to ::ATA_MAX_FRAMES. Default 8. */
  int32_t frames;
  /** `dense`: distance between frames, in frames of `fps`; above 0, at most ::ATA_MAX_RATE.
   *  Default 4. */
  double stride;
  /** `dense`: rate that `stride` counts in, in frames per second, at most ::ATA_MAX_RATE; 0 (the
   *  default) for the video's own. */
  double fps;
  /** `dense`: start of the clip in seconds, at most ::ATA_MAX_SECONDS; negative (the default) to
   * place clip `clip_index` of `clip_count` evenly, a single one in the middle. */
  double offset;
  /** Which of `clip_count` clips in time. Default 0. */
  int32_t clip_index;
  /** Number of clips in time. Default 1. */
  int32_t clip_count;
  /** What to do with a short video. Default ::ATA_SHORT_ERROR. */
  ata_short_policy short_policy;
  /** The shorter side is resized to this many pixels, at most ::ATA_MAX_IMAGE_SIZE; 0 (the default)
   *  for `size`. */
  int32_t resize;
  /** Height and width of the square crop, 1 to ::ATA_MAX_IMAGE_SIZE. Default 224. */
  int32_t size;
  /** Which of `crop_count` crops, placed evenly along the longer side. Default 0. */
  int32_t crop_index;
  /** 1 (the default: centre) or 3 (left, centre, right; top, centre, bottom in portrait). */
  int32_t crop_count;
  /** Left, top, width and height of a crop as fractions of the frame, resized to `size` x `size`
   *  (random resized crops of training). All zero (the default): `resize` and `crop_index` apply
   *  instead. */
  float crop_rectangle[4];
  /** 1: mirror horizontally. */
  int32_t flip;
  /** Interpolation. Default ::ATA_BILINEAR. */
  ata_interpolation interpolation;
  /** Per-channel mean, on the 0..1 scale. Default 0.45. */
  float mean[3];
  /** Per-channel standard deviation. Default 0.225. */
  float std[3];
  /** Part of the video that the clip is taken from, as if the rest were not there: its start in
   *  seconds. Default 0. ::ATA_BAD_VIDEO if the video ends before it. `offset` counts from here;
   *  frame times count from the video's first frame, as always. */
  double interval_start;
  /** Its end in seconds, above `interval_start`; 0 (the default), or an end after the video's, for
   *  the end of the video. */
  double interval_end;
} ata_clip_options;

/**
 * Fills in the defaults.
 * @param options Receives them.
 * @param struct_size sizeof(ata_clip_options).
 */
ATA_API(ata_status)
ata_clip_options_init(ata_clip_options* options, size_t struct_size) ATA_NOEXCEPT;

/**
 * Samples a clip exactly as a model sees it.
 * @param video The video.
 * @param options Options; NULL for the defaults.
 * @param cancellation May be NULL.
 * @param clip Receives f32 `[1, 3, T, size, size]`, normalised.
 * @param frame_times Receives T start times of the frames in seconds, or NULL.
 */
ATA_API(ata_status)
ata_video_sample(ata_video* video, const ata_clip_options* options,
                 const ata_cancellation* cancellation, ata_tensor** clip,
                 double* frame_times) ATA_NOEXCEPT;

/** Several clips of a video, sampled one after another. */
typedef struct ata_video_views ata_video_views;

/**
 * Begins to sample several clips of a video, each as ata_video_sample() would, but so that a frame
 * that several of them show is decoded once, and that the video goes by once: crops of the same
 * clip, or clips that overlap, cost no more decoding than one. At most 512 MiB of clips are begun
 * at a time (but at least one); if the clips need more, parts of the video are decoded again.
 * @param video The video. Views keep what they need of it; views and video together are used by one
 *   thread at a time.
 * @param options `count` options in the order in which the clips are wanted, all of one
 *   `struct_size`; copied.
 * @param count Number of clips, 1 to 2^20.
 * @param views Receives the handle.
 */
ATA_API(ata_status)
ata_video_views_create(ata_video* video, const ata_clip_options* options, size_t count,
                       ata_video_views** views) ATA_NOEXCEPT;

/**
 * Samples the next clip.
 * @param views The views.
 * @param cancellation May be NULL.
 * @param clip Receives f32 `[1, 3, T, size, size]`, normalised; NULL after the last clip.
 * @param frame_times Receives T start times of the frames in seconds, or NULL. Untouched after the
 *   last clip.
 */
ATA_API(ata_status)
ata_video_views_sample_next(ata_video_views* views, const ata_cancellation* cancellation,
                            ata_tensor** clip, double* frame_times) ATA_NOEXCEPT;

/** Releases a handle. @param views May be NULL. */
ATA_API(void) ata_video_views_release(ata_video_views* views) ATA_NOEXCEPT;

/**
 * Writes an image; `.png` or `.jpg` by the file's extension. `path` is never half-written.
 * @param path File to write.
 * @param image u8 `[H, W, 3]`, RGB, in the host's memory.
 */
ATA_API(ata_status) ata_image_write(const char* path, const ata_tensor* image) ATA_NOEXCEPT;

/** Writes a video file frame by frame. */
typedef struct ata_video_writer ata_video_writer;

/**
 * Begins a video file: `.mp4`, `.mkv`, `.webm` or `.avi` by the file's extension. The file appears
 * under its name when ata_video_writer_finish() succeeds.
 * @param path File to write.
 * @param width Width in pixels; even.
 * @param height Height in pixels; even.
 * @param fps Frames per second, above 0.
 * @param writer Receives the handle.
 */
ATA_API(ata_status)
ata_video_writer_create(const char* path, int32_t width, int32_t height, double fps,
                        ata_video_writer** writer) ATA_NOEXCEPT;

/**
 * Appends a frame; ::ATA_INVALID_STATE when the file is complete.
 * @param writer The writer.
 * @param frame u8 `[H, W, 3]`, RGB, in the host's memory.
 */
ATA_API(ata_status)
ata_video_writer_add(ata_video_writer* writer, const ata_tensor* frame) ATA_NOEXCEPT;

/**
 * Completes the file. No frame can be added afterwards. ::ATA_INVALID_STATE when it is complete
 * already or has no frames.
 * @param writer The writer.
 */
ATA_API(ata_status) ata_video_writer_finish(ata_video_writer* writer) ATA_NOEXCEPT;

/** Releases a handle; an unfinished file is removed. @param writer May be NULL. */
ATA_API(void) ata_video_writer_release(ata_video_writer* writer) ATA_NOEXCEPT;

/**
 * Opens a video that is in memory: what a file of these bytes would be to ata_video_open(), and all
 * functions give the same bits for it. Folders of images are for paths only. The bytes are as
 * hostile as a file's; they may not change while the library has them.
 * @param data The file's bytes.
 * @param size Their number.
 * @param name What messages call it; NULL for "<memory>".
 * @param release NULL: the bytes are copied, and the caller's may go when this function returns.
 * Else they are not copied and stay until `release` is called, exactly once, when the video and its
 *   views need them no more, by the thread that lets them go. Never called when this function
 * fails: the memory is then still the caller's.
 * @param user_data Passed to `release`.
 * @param options Options; NULL for the defaults.
 * @param video Receives the handle.
 */
ATA_API(ata_status)
ata_video_open_memory(const void* data, size_t size, const char* name, ata_release_callback release,
                      void* user_data, const ata_video_options* options,
                      ata_video** video) ATA_NOEXCEPT;

/** How the pixels of a frame lie in memory, one byte a component. */
ATA_ENUM(ata_pixel_format){
    /** One plane: red, green, blue. */
    ATA_PIXELS_RGB = 0,
    /** One plane: blue, green, red. */
    ATA_PIXELS_BGR = 1,
    /** One plane: red, green, blue and a fourth byte that is not looked at. */
    ATA_PIXELS_RGBA = 2,
    /** One plane: blue, green, red and a fourth byte that is not looked at. */
    ATA_PIXELS_BGRA = 3,
    /** Two planes: luma; then Cb and Cr in turn, one pair for 2 x 2 pixels. */
    ATA_PIXELS_NV12 = 4,
    /** Three planes: luma; Cb; Cr, one of each for 2 x 2 pixels. */
    ATA_PIXELS_I420 = 5,
};

/** The colour matrix by which luma and chroma were made of RGB. */
ATA_ENUM(ata_colour_matrix){
    /** Not known: BT.601, as of files that do not say. */
    ATA_MATRIX_UNKNOWN = 0,
    /** BT.601: standard definition, and most webcams. */
    ATA_MATRIX_BT601 = 1,
    /** BT.709: high definition. */
    ATA_MATRIX_BT709 = 2,
    /** BT.2020 with non-constant luminance: ultra-high definition. */
    ATA_MATRIX_BT2020 = 3,
};

/** The values that luma and chroma take. */
ATA_ENUM(ata_colour_range){
    /** Not known: limited, as of files that do not say. */
    ATA_RANGE_UNKNOWN = 0,
    /** Luma 16 to 235, chroma 16 to 240. */
    ATA_RANGE_LIMITED = 1,
    /** 0 to 255, as in JPEG. */
    ATA_RANGE_FULL = 2,
};

/** How frames lie in memory, and how fast they follow one another. */
typedef struct ata_frame_layout {
  /** sizeof(ata_frame_layout). */
  size_t struct_size;
  /** Format of the pixels. Default ::ATA_PIXELS_RGB. */
  ata_pixel_format format;
  /** Width in pixels, 1 to 16384; has no default. A frame has at most 2^26 pixels. Of formats with
   *  chroma it may be odd: rows of chroma then have (width + 1) / 2 values. */
  int32_t width;
  /** Height in pixels, likewise. */
  int32_t height;
  /** Of ::ATA_PIXELS_NV12 and ::ATA_PIXELS_I420; 0 for other formats. Default 0. */
  ata_colour_matrix matrix;
  /** Of ::ATA_PIXELS_NV12 and ::ATA_PIXELS_I420; 0 for other formats. Default 0. */
  ata_colour_range range;
  /** 0. */
  int32_t reserved;
  /** Frames per second, above 0 and at most ::ATA_MAX_RATE. Default 25. */
  double fps;
  /** Bytes from a row to the next one of each plane: at least the row's, at most 2^31 - 1; 0 (the
   *  default) for rows without gaps, and for planes that the format does not have. */
  int64_t strides[3];
} ata_frame_layout;

/**
 * Fills in the defaults.
 * @param layout Receives them.
 * @param struct_size sizeof(ata_frame_layout).
 */
ATA_API(ata_status)
ata_frame_layout_init(ata_frame_layout* layout, size_t struct_size) ATA_NOEXCEPT;

/**
 * Samples a clip of frames that are in memory, such as a camera's: exactly what ata_video_sample()
 * gives of a video of `count` frames with these pixels, `fps` a second, one after another. So
 * `count` frames with `frames` = `count`, `stride` = 1 and the other options' defaults become the
 * clip in their order. Only frames that the clip shows are read. Formats of one plane need no video
 * plugin; others are converted as decoded frames are, and are ::ATA_LIBRARY_UNAVAILABLE without it.
 * ::ATA_BAD_VIDEO if there are too few frames for ::ATA_SHORT_ERROR. Thread-safe.
 * @param planes Address of each plane's first row, frame by frame: 1, 2 or 3 times `count`.
 * @param count Number of frames, 1 to 2^24.
 * @param layout How they lie in memory.
 * @param options Options; NULL for the defaults.
 * @param cancellation May be NULL.
 * @param clip Receives f32 `[1, 3, T, size, size]`, normalised.
 * @param frame_times Receives T start times of the frames in seconds from the first, or NULL.
 */
ATA_API(ata_status)
ata_clip_from_frames(const void* const* planes, size_t count, const ata_frame_layout* layout,
                     const ata_clip_options* options, const ata_cancellation* cancellation,
                     ata_tensor** clip, double* frame_times) ATA_NOEXCEPT;

/** @} */

/* ------------------------------------------------------------------------------------------ */
/** @defgroup c_files Files
 *  @ingroup c
 *  The library's own way to read and write files, for what a program keeps beside models and
 *  videos. Thread-safe.
 *  @{ */

/** What a path leads to. */
ATA_ENUM(ata_file_kind){
    /** A file with content. */
    ATA_FILE_REGULAR = 0,
    /** A folder. */
    ATA_FILE_FOLDER = 1,
    /** A pipe, a socket or a device. */
    ATA_FILE_OTHER = 2,
};

/**
 * Tells which file a path leads to, whatever it is called: two paths lead to one file, through
 * links, other spellings or relative folders, if and only if `volume` and `number` are equal.
 * @param path A file or folder; ::ATA_NOT_FOUND if there is none.
 * @param kind Receives what it is.
 * @param volume Receives the number of the volume.
 * @param number Receives the number of the file on its volume.
 */
ATA_API(ata_status)
ata_file_identify(const char* path, ata_file_kind* kind, uint64_t* volume,
                  uint64_t* number) ATA_NOEXCEPT;

/**
 * Reads a file whole. What is not a regular file is ::ATA_IO_ERROR at once, where opening a pipe
 * would wait for its writer.
 * @param path File to read.
 * @param data Receives the content if it fits.
 * @param capacity Bytes that `data` has room for; with 0 and NULL only the size is told.
 * @param size Receives the size of the file in bytes. If it is above `capacity`, nothing was read.
 */
ATA_API(ata_status)
ata_file_read(const char* path, void* data, size_t capacity, size_t* size) ATA_NOEXCEPT;

/**
 * Writes a file whole, as every function of the library does that takes a path to write. Content
 * goes to a temporary file in the same folder that is synced and then renamed, so that `path` holds
 * the old content or the new and never a part. A symbolic link stays: the file that it leads to is
 * replaced, or made if it dangles. A file that is replaced keeps its permissions, and its owner
 * where the system allows it. A character device such as /dev/null is written straight. A folder,
 * pipe, socket, block device or write-protected file is ::ATA_IO_ERROR.
 * @param path File to write.
 * @param data The content; may be NULL if `size` is 0.
 * @param size Its bytes.
 */
ATA_API(ata_status)
ata_file_write(const char* path, const void* data, size_t size) ATA_NOEXCEPT;

/**
 * Finds out whether a file could be written, before the work that makes its content. Changes
 * nothing.
 * @param path File to write later.
 */
ATA_API(ata_status) ata_file_check_writable(const char* path) ATA_NOEXCEPT;

/** @} */

#if defined(__cplusplus)
} /* extern "C" */
#endif

#endif /* ATA_ATA_H_ */
