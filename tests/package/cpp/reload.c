/* reload LIBRARY: loads libata, computes with it and unloads it, 150 times: as hosts of plug-ins
   do. Neither the process nor its number of threads may grow. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of /proc/self/status, such as "VmRSS:" in KiB; 0 where there is no such file. */
static long status(const char* name) {
  char line[256];
  long value = 0;
  FILE* file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, name, strlen(name)) == 0) value = atol(line + strlen(name));
  }
  if (file) fclose(file);
  return value;
}

typedef int32_t (*create_function)(const void*, void**);
typedef void (*release_function)(void*);
typedef int32_t (*solve_function)(void*, const float*, size_t, int64_t, int64_t, int64_t, int32_t*,
                                  size_t, double*, size_t, double*, size_t);

/* Data pointers are no function pointers in C, but POSIX promises that they convert. */
static void find(void* library, const char* name, void* function) {
  void* symbol = dlsym(library, name);
  memcpy(function, &symbol, sizeof symbol);
}

static int use(const char* path, const float* values, int32_t* matching, int64_t n) {
  double totals[16];
  void* assigner = NULL;
  create_function create;
  release_function release;
  solve_function solve;
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  find(library, "ata_assigner_create", &create);
  find(library, "ata_assigner_release", &release);
  find(library, "ata_assigner_solve", &solve);
  if (!create || !release || !solve) return 2;
  if (create(NULL, &assigner) != 0) return 3;
  if (solve(assigner, values, (size_t)(16 * n * n), 16, n, n, matching, (size_t)(16 * n), totals,
            16, NULL, 0) != 0) {
    return 3;
  }
  release(assigner);
  return dlclose(library) == 0 ? 0 : 4;
}

int main(int argc, char** argv) {
  const int64_t n = 64;
  float* values = malloc(sizeof(float) * (size_t)(16 * n * n));
  int32_t* matching = malloc(sizeof(int32_t) * (size_t)(16 * n));
  long memory = 0, threads = 0;
  int i, code;
  if (argc != 2 || !values || !matching) return 5;
  for (i = 0; i < (int)(16 * n * n); ++i)
    values[i] = (float)(((unsigned)i * 2654435761u) % 1000) / 1000.0f;
  for (i = 0; i < 150; ++i) {
    if ((code = use(argv[1], values, matching, n)) != 0) return code;
    if (i == 9) {
      memory = status("VmRSS:");
      threads = status("Threads:");
    }
  }
  free(values);
  free(matching);
  printf("after 10 times %ld KiB and %ld threads, after 150 %ld and %ld\n", memory, threads,
         status("VmRSS:"), status("Threads:"));
  return status("VmRSS:") > memory + 1024 || status("Threads:") > threads ? 6 : 0;
}
