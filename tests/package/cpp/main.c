/* The C API from C: a tensor, an assignment, a status, a message. */
#include <ata/ata.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  ata_tensor* tensor = NULL;
  ata_tensor_info info;
  ata_model* model = NULL;
  ata_assigner* assigner = NULL;
  const float similarities[4] = {0.1f, 0.9f, 0.8f, 0.7f};
  int32_t matching[2] = {-1, -1};
  double total = 0;
  const int64_t shape[2] = {2, 3};
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  if (ata_abi_version() != ATA_ABI_VERSION) return 1;
  if (ata_tensor_create(ATA_F32, shape, 2, NULL, &tensor) != ATA_OK) return 2;
  if (ata_tensor_get_info(tensor, &info) != ATA_OK || info.size != 24) return 3;
  ata_tensor_release(tensor);

  if (ata_assigner_create(NULL, &assigner) != ATA_OK) return 6;
  if (ata_assigner_solve(assigner, similarities, 4, 1, 2, 2, matching, 2, &total, 1, NULL, 0) !=
      ATA_OK) {
    return 7;
  }
  ata_assigner_release(assigner);
  if (matching[0] != 1 || matching[1] != 0 || total < 1.69 || total > 1.71) return 8;

  if (ata_model_load("no-such-file.safetensors", NULL, &model) != ATA_NOT_FOUND) return 4;
  if (model != NULL || strstr(ata_last_error(), "no-such-file.safetensors") == NULL) return 5;
  printf("libata %s from C\n", ata_version());
  return 0;
}
