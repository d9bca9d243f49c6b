/* cpu.c -- takes the place of the same functions in core/kernel_x86.c (linker option --wrap), where the kernels
** for AVX-512 are compiled with emulated intrinsics and run on every CPU. */
int __wrap_ann_kernel_x86_has_avx512(void);
int __wrap_ann_kernel_x86_has_vnni(void);

int __wrap_ann_kernel_x86_has_avx512(void) { return 1; }

int __wrap_ann_kernel_x86_has_vnni(void) { return 1; }
