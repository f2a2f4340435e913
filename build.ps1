# The verbs of build.sh for Windows. Needs Visual Studio 2022 with C++ and its CMake, a vcpkg whose
# folder is in VCPKG_ROOT, and the .NET 10 SDK; run it from a "Developer PowerShell for VS 2022".
# Not yet tested.
param([string]$Verb = 'help', [Parameter(ValueFromRemainingArguments)][string[]]$Rest)
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot
$build = 'out/release'

function Invoke-Checked([string]$Program) {
    & $Program @args
    if ($LASTEXITCODE -ne 0) { throw "$Program failed with exit code $LASTEXITCODE" }
}

function Invoke-Setup {
    if (-not $env:VCPKG_ROOT) {
        throw 'VCPKG_ROOT is not set. Install vcpkg (https://vcpkg.io), set VCPKG_ROOT to its folder and start again.'
    }
    Invoke-Checked "$env:VCPKG_ROOT/vcpkg" install --triplet x64-windows --x-install-root=out/vcpkg
}

function Invoke-Build {
    if (-not (Test-Path out/vcpkg)) { Invoke-Setup }
    Invoke-Checked cmake --preset release `
        "-DCMAKE_TOOLCHAIN_FILE=$env:VCPKG_ROOT/scripts/buildsystems/vcpkg.cmake" `
        -DVCPKG_INSTALLED_DIR="$PWD/out/vcpkg" -DVCPKG_MANIFEST_INSTALL=OFF
    Invoke-Checked cmake --build --preset release
    Invoke-Checked dotnet build Ata.sln -c Release -v quiet
}

switch ($Verb) {
    'setup' { Invoke-Setup }
    'build' { Invoke-Build }
    'test' {
        Invoke-Build
        Invoke-Checked ctest --preset release
        Invoke-Checked dotnet test Ata.sln -c Release --no-build
        Invoke-Checked dotnet format Ata.sln --verify-no-changes --no-restore
    }
    'demo' {
        Invoke-Build
        Invoke-Checked bash demo/run.sh out/demo
        if ($Rest -notcontains '--quick') { Invoke-Checked bash demo/train.sh out/demo @Rest }
    }
    'bench' {
        Invoke-Build
        Get-ChildItem "$build/bin/*_bench.exe" | ForEach-Object { Invoke-Checked $_.FullName @Rest }
    }
    'format' {
        $mode = if ($Rest -contains '--check') { @('--dry-run', '-Werror') } else { @('-i') }
        $verify = if ($Rest -contains '--check') { @('--verify-no-changes') } else { @() }
        $sources = git ls-files '*.h' '*.hpp' '*.cc' '*.c' '*.cu'
        Invoke-Checked clang-format @mode @sources
        Invoke-Checked dotnet format Ata.sln --no-restore @verify
    }
    'reference' {
        # The filters of its sources are written in awk and sed, which Git for Windows brings.
        $env:PATH += ";$env:ProgramFiles/Git/usr/bin"
        $env:ATA_VERSION = (Get-Content VERSION).Trim()
        Remove-Item -Recurse -Force -ErrorAction SilentlyContinue out/reference
        New-Item -ItemType Directory -Force out | Out-Null
        Invoke-Checked doxygen docs/reference/Doxyfile
    }
    'pack' {
        Invoke-Build
        Invoke-Checked cmake --install $build --prefix artifacts/ata
        Invoke-Checked dotnet pack Ata.sln -c Release --no-build -o artifacts
    }
    'clean' { Remove-Item -Recurse -Force -ErrorAction SilentlyContinue out, artifacts }
    default {
        'build.ps1 VERB: setup, build, test, demo, bench, reference, format [--check], pack, clean'
        if ($Verb -notin 'help', '-h', '--help') { exit 1 }
    }
}
