#!/usr/bin/env bash
# dependencies.sh FOLDER: builds the libraries that the packages carry inside, static, from Debian's source packages.
# FOLDER/prefix has them afterwards for CMake (CMAKE_PREFIX_PATH), FOLDER/notices their licences and how they were built.
# What was fetched (FOLDER/sources) and built is kept: delete FOLDER to get what is newest.
#
#   zlib      of this release           PNG, and compressed tracks of Matroska
#   FFmpeg    of this release           LGPL parts alone: what reads video, three encoders, no network
#   Highway   of this release           vector instructions chosen at run time
#   oneDNN    of trixie (Debian 13)     matrix products and reorders on the CPU
#
# apt fetches and verifies as always: Debian's keys sign the lists, the lists hold the files' SHA-256. The mirrors are
# those that this machine has, including the security updates'.
set -euo pipefail
mkdir -p "$1"
work="$(cd "$1" && pwd)"
readonly work prefix="$work/prefix"
readonly ONEDNN_SUITE=trixie
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
jobs="$(nproc)"
readonly jobs
if [[ -d /usr/lib/ccache ]]; then export PATH="/usr/lib/ccache:$PATH"; fi

die() {
  printf 'dependencies.sh: %s\n' "$*" >&2
  exit 1
}

. /etc/os-release
[[ ${ID:-} == debian && ${VERSION_CODENAME:-} == bookworm ]] ||
  die "the packages are built on Debian 12 (bookworm), whose old glibc lets them run on newer systems, not on ${PRETTY_NAME:-this system}"

# --- sources --------------------------------------------------------------------------------------

# An apt of our own with the sources of one suite and its updates, from the mirrors of this machine.
prepare_apt() { # SUITE
  local folder="$work/apt/$1"
  if [[ -f $folder/ready ]]; then return; fi
  rm -rf "$folder"
  mkdir -p "$folder/lists/partial" "$folder/archives/partial"
  cat >"$folder/apt.conf" <<CONF
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$folder/lists";
Dir::Cache "$folder";
APT::Sandbox::User "$(id -un)";
CONF
  # The release first, where all of one version are for good; the archive of security updates drops old files.
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    sed -n "s|^Debian \([^ ]*\) bookworm\(.*\)|deb-src [signed-by=$KEYRING] \1 $1\2 main|p" |
    LC_ALL=C sort -u -t ' ' -k 4,4 >"$folder/sources.list"
  [[ -s $folder/sources.list ]] || die "this machine has no sources of Debian (run 'apt-get update')"
  APT_CONFIG="$folder/apt.conf" apt-get update -qq || die "the lists of Debian's sources could not be fetched; see above"
  touch "$folder/ready"
}

# Downloads a source package, unless it is there.
fetch() { # PACKAGE SUITE
  local folder="$work/sources/$1"
  if [[ -f $folder/version ]]; then return; fi
  prepare_apt "$2"
  rm -rf "$folder"
  mkdir -p "$folder"
  echo "fetching $1 ($2)"
  (cd "$folder" && APT_CONFIG="$work/apt/$2/apt.conf" apt-get source -qq --download-only "$1") ||
    die "the source package $1 of $2 could not be fetched; see above"
  sed -n 's/^Version: //p' "$folder"/*.dsc >"$folder/version.new"
  mv "$folder/version.new" "$folder/version"
}

# Unpacks a source package, whose files dpkg-source checks once more, to build/PACKAGE.
unpack() { # PACKAGE [OPTION of dpkg-source]
  rm -rf "$work/build/$1"
  mkdir -p "$work/build"
  dpkg-source -q "${@:2}" -x "$work/sources/$1/"*.dsc "$work/build/$1" >"$work/build/$1.log" 2>&1 ||
    { cat "$work/build/$1.log" >&2 && die "the sources of $1 are damaged: delete $work/sources/$1"; }
}

# --- builds ---------------------------------------------------------------------------------------

# Writes notices/NAME.txt: what it is, how it was built, its licence.
notice() { # NAME PACKAGE HOW LICENCE
  mkdir -p "$work/notices"
  {
    echo "$1, from Debian's source package $2 $(<"$work/sources/$2/version")"
    printf '%s\n\n' "$3"
    cat "$4"
  } >"$work/notices/$2.txt"
}

# No path of this machine may get into what is built; functions that nobody calls are left out when it is linked.
flags() { # SOURCES
  echo "-ffunction-sections -fdata-sections -ffile-prefix-map=$1=."
}

cmake_build() { # PACKAGE OPTION...
  local source="$work/build/$1"
  cmake -S "$source" -B "$source/out" -G Ninja -Wno-dev -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_CXX_VISIBILITY_PRESET=hidden \
    -DCMAKE_C_FLAGS="$(flags "$source")" -DCMAKE_CXX_FLAGS="$(flags "$source")" "${@:2}"
  cmake --build "$source/out" -j "$jobs"
  cmake --install "$source/out"
}

build_zlib() {
  unpack zlib
  cd "$work/build/zlib"
  CFLAGS="-O3 -fPIC -fvisibility=hidden $(flags "$PWD")" ./configure --static --prefix="$prefix"
  make -j "$jobs" libz.a
  make install
  notice zlib zlib "Nothing was changed." "$work/build/zlib/debian/copyright"
}

build_ffmpeg() {
  unpack ffmpeg
  cd "$work/build/ffmpeg"
  # All that decode pictures, which that file lists first; sound is never decoded.
  local decoders
  decoders="$(sed -n '1,/\* audio codecs \*/s/^extern const FFCodec ff_\(.*\)_decoder;/\1/p' \
    libavcodec/allcodecs.c | grep -vE '_(qsv|v4l2m2m|cuvid|mediacodec|mmal|rkmpp|crystalhd)$' | paste -sd,)"
  # The configure line ends up in the library and the package: it names no folder of this machine.
  local options=(
    --prefix=/ --enable-static --disable-shared --enable-pic --disable-debug --disable-programs --disable-doc
    --disable-autodetect --enable-pthreads --enable-zlib
    --disable-network --disable-protocols --enable-protocol=file
    --disable-avdevice --disable-avfilter --disable-swresample --disable-hwaccels
    --disable-demuxer=concat,hls,dash,imf,image2,sdp,rtp,rtsp,sap,tedcaptions
    --disable-encoders --enable-encoder=mpeg4,mjpeg,png --disable-muxers --enable-muxer=mp4,matroska,webm,avi
    --disable-decoders "--enable-decoder=$decoders")
  export C_INCLUDE_PATH="$prefix/include" LIBRARY_PATH="$prefix/lib"
  ./configure "${options[@]}"
  grep -q '^#define FFMPEG_LICENSE "LGPL version 2.1 or later"' config.h || die "this FFmpeg would not be LGPL 2.1"
  make -j "$jobs"
  make install-libs install-headers DESTDIR="$prefix"
  # Paths of the prefix, now that the libraries do not name it.
  sed -i "s|^prefix=.*|prefix=$prefix|; s|^libdir=.*|libdir=\${prefix}/lib|; s|^includedir=.*|includedir=\${prefix}/include|" \
    "$prefix"/lib/pkgconfig/lib{av,sw}*.pc
  notice FFmpeg ffmpeg "configured with: ./configure ${options[*]}
Nothing was changed. libata_video.so holds it; Ata's sources and './build.sh pack' make that file again with another
FFmpeg. FFmpeg's sources are in Debian's archive, under the version above." \
    COPYING.LGPLv2.1
}

build_highway() {
  unpack highway
  cmake_build highway -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF -DHWY_ENABLE_EXAMPLES=OFF -DHWY_ENABLE_CONTRIB=OFF
  notice Highway highway "Nothing was changed." "$work/build/highway/debian/copyright"
}

# Debian's patches fit it to Debian's spdlog and GoogleTest, of which nothing is needed; one brings upstream's fixes.
# Nothing of the primitives that are off would be linked: their implementations, most of what there is to compile, are not
# built. If one were needed after all, libata would not link. The generators of machine code run once each, and are
# compiled in half the time without the optimiser's best.
build_onednn() {
  unpack onednn --skip-patches
  patch -d "$work/build/onednn" -p1 -s <"$work/build/onednn/debian/patches/upstream-3.7.3.patch"
  (cd "$work/build/onednn/src/cpu" &&
    find . -name '*.cpp' ! -name '*_list.cpp' ! -name '*inner_product_utils*' ! -name '*convert*' -regextype posix-extended \
      -regex '.*(conv|pool|normalization|lrn|rnn|prelu|shuffle|resampling|softmax|inner_product).*' -delete &&
    sed -i '/gemm_x8s8s32x_matmul_t/d' matmul/cpu_matmul_list.cpp &&
    printf '%s\n' 'file(GLOB_RECURSE generators "${CMAKE_CURRENT_SOURCE_DIR}/gemm/*_autogen.cpp")' \
      'set_source_files_properties(${generators} PROPERTIES COMPILE_OPTIONS -O1)' >>x64/CMakeLists.txt)
  # Ata's threads run its products, so oneDNN has none of its own.
  cmake_build onednn -DONEDNN_LIBRARY_TYPE=STATIC -DONEDNN_CPU_RUNTIME=SEQ -DONEDNN_GPU_RUNTIME=NONE \
    -DONEDNN_ENABLE_WORKLOAD=INFERENCE -DONEDNN_ENABLE_PRIMITIVE='MATMUL;REORDER' -DONEDNN_BUILD_GRAPH=OFF \
    -DONEDNN_ARCH_OPT_FLAGS= -DONEDNN_ENABLE_JIT_PROFILING=OFF -DONEDNN_ENABLE_ITT_TASKS=OFF \
    -DONEDNN_BUILD_TESTS=OFF -DONEDNN_BUILD_EXAMPLES=OFF -DONEDNN_BUILD_DOC=OFF
  notice oneDNN onednn "with Debian's patch upstream-3.7.3; matrix products and reorders on the CPU alone, no threads of its own" \
    "$work/build/onednn/debian/copyright"
}

# Builds a library unless that was done, from the same sources in the same way.
provide() { # PACKAGE SUITE
  local log="$work/$1.log" stamp="$work/$1.built" wanted
  fetch "$1" "$2"
  wanted="$(cat "$work/sources/$1/version" && declare -f flags cmake_build "build_$1")"
  if [[ -f $stamp && "$(<"$stamp")" == "$wanted" ]]; then return; fi
  echo "building $1 $(<"$work/sources/$1/version")"
  # In the background, because 'set -e' means nothing in what stands before '||'.
  ("build_$1") >"$log" 2>&1 &
  wait $! || { tail -n 30 "$log" >&2 && die "$1 could not be built; all of it is in $log"; }
  printf '%s\n' "$wanted" >"$stamp"
}

provide zlib bookworm
provide highway bookworm
provide ffmpeg bookworm
provide onednn "$ONEDNN_SUITE"

# Two more are in what is linked: the compiler's runtime, and a library of headers.
cp /usr/share/doc/libstdc++6/copyright "$work/notices/libstdc++.txt"
cp /usr/share/doc/nlohmann-json3-dev/copyright "$work/notices/nlohmann-json.txt"
