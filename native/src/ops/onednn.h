#ifndef ATA_OPS_ONEDNN_H_
#define ATA_OPS_ONEDNN_H_

#include <dnnl.hpp>

// What is spelled differently in oneDNN 2, which Debian 12 and Ubuntu 24.04 have, and in oneDNN 3.

namespace ata::onednn {

/// Describes c = a b, plus a row `bias` if there is one.
inline dnnl::matmul::primitive_desc describe_matmul(const dnnl::engine& engine,
                                                    const dnnl::memory::desc& a,
                                                    const dnnl::memory::desc& b,
                                                    const dnnl::memory::desc* bias,
                                                    const dnnl::memory::desc& c,
                                                    const dnnl::primitive_attr& attributes = {}) {
#if DNNL_VERSION_MAJOR >= 3
  if (bias) return {engine, a, b, *bias, c, attributes};
  return {engine, a, b, c, attributes};
#else
  if (bias) return {dnnl::matmul::desc(a, b, *bias, c), attributes, engine};
  return {dnnl::matmul::desc(a, b, c), attributes, engine};
#endif
}

/// Appends an elementwise function.
inline void append_eltwise(dnnl::post_ops& after, dnnl::algorithm function, float alpha,
                           float beta) {
#if DNNL_VERSION_MAJOR >= 3
  after.append_eltwise(function, alpha, beta);
#else
  after.append_eltwise(1.0f, function, alpha, beta);
#endif
}

}  // namespace ata::onednn

#endif  // ATA_OPS_ONEDNN_H_
