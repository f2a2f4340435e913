/* The C API from C: a tensor, a status, a message. */
#include <ata/ata.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  ata_tensor* tensor = NULL;
  ata_tensor_info info;
  ata_model* model = NULL;
  const int64_t shape[2] = {2, 3};
  if (ata_abi_version() != ATA_ABI_VERSION) return 1;
  if (ata_tensor_create(ATA_F32, shape, 2, &tensor) != ATA_OK) return 2;
  if (ata_tensor_get_info(tensor, &info) != ATA_OK || info.size != 24) return 3;
  ata_tensor_release(tensor);

  if (ata_model_load("no-such-file.safetensors", NULL, &model) != ATA_NOT_FOUND) return 4;
  if (model != NULL || strstr(ata_last_error(), "no-such-file.safetensors") == NULL) return 5;
  printf("libata %s from C\n", ata_version());
  return 0;
}
