/* The C API from C: a tensor, an assignment, a status, a message. */
#include <ata/ata.h>
#include <stdio.h>
#include <string.h>

/* Fails before anything else did: what a plugin throws has to find its way. */
static int a_file_that_is_no_video_is_refused(void) {
  ata_video* video = NULL;
  ata_status status;
  FILE* file = fopen("no-video.mp4", "wb");
  if (file == NULL || fputs("this is no video", file) < 0 || fclose(file) != 0) return 0;
  status = ata_video_open("no-video.mp4", NULL, &video);
  remove("no-video.mp4");
  return status == ATA_BAD_VIDEO || status == ATA_LIBRARY_UNAVAILABLE;
}

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
  if (!a_file_that_is_no_video_is_refused()) return 9;
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
