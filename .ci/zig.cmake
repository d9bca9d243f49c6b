# A toolchain file: compiles for another platform by Zig, which brings the headers and C libraries of all of them.
#
#   cmake -B build/arm64 -DCMAKE_TOOLCHAIN_FILE=.ci/zig.cmake -DZIG_TARGET=aarch64-linux-gnu.2.17 \
#     -DSQLITE3_INCLUDE_DIR=<a folder with sqlite3.h and sqlite3ext.h, and nothing else>
#
# ZIG_TARGET is processor-system-C library, as Zig calls them; 2.17 is the oldest glibc that it shall run with.
# `zig` is on PATH, or named by -DZIG=<program>.  (/usr/include as that folder would bring the headers of this machine.)

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG ZIG_TARGET)
find_program(ZIG zig REQUIRED)

string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${ZIG_TARGET}")
if(ZIG_TARGET MATCHES "-macos")
  set(CMAKE_SYSTEM_NAME Darwin)
  set(CMAKE_INSTALL_NAME_TOOL "${CMAKE_COMMAND}" CACHE FILEPATH "looked for by CMake, called by nothing here")
elseif(ZIG_TARGET MATCHES "-windows")
  set(CMAKE_SYSTEM_NAME Windows)
else()
  set(CMAKE_SYSTEM_NAME Linux)
endif()

# The programs by which CMake tries a compiler would be static: all of musl would be compiled for them, for a minute.
if(ZIG_TARGET MATCHES "-musl")
  set(CMAKE_EXE_LINKER_FLAGS_INIT "-dynamic")
endif()

set(CMAKE_C_COMPILER ${ZIG} cc)
set(CMAKE_C_COMPILER_TARGET ${ZIG_TARGET})
set(CMAKE_C_STANDARD_LIBRARIES "" CACHE STRING "a dozen of Windows by default, none of which is called")
set(CMAKE_RC_COMPILER ${ZIG} CACHE FILEPATH "wanted by CMake for Windows, called by nothing here")

# -s: without names of local symbols, and without the debugging sections of Zig's own parts.
# CMake asks for a bundle on macOS, which Zig does not know; dlopen takes a dynamic library as well.
if(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
  set(CMAKE_MODULE_LINKER_FLAGS_INIT "-s -dynamiclib")
else()
  set(CMAKE_MODULE_LINKER_FLAGS_INIT "-s")
endif()
