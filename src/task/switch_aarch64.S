/*
 * The switch for aarch64 (AAPCS64): x19 to x30, the lower halves of v8 to v15, and FPCR are the callee's to preserve.
 *
 *   sp -> | x19 x20 | x21 x22 | ... | x29 x30 | d8 d9 | ... | d14 d15 | fpcr, unused |
 *
 * The notes of where registers lie let a debugger walk the stack of a task that is not running, from salp__switch_arrive
 * (tools/salp.gdb); the stack ends where the task began.
 *
 * A processor foretells where a return goes by the calls that it has seen, of whatever stack. One task is mostly left by the
 * same calls as the next, so that is right as long as calls and returns are paired: hence a fresh stack is begun by a jump,
 * which leaves the call of salp__switch to the return of whoever goes on when the task has ended, and nothing there is
 * called that does not return.
 *
 * SPDX-License-Identifier: MIT
 */
    .macro  saved_at_the_pointer
    .cfi_def_cfa_offset 176
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    .cfi_rel_offset d8, 96
    .cfi_rel_offset d9, 104
    .cfi_rel_offset d10, 112
    .cfi_rel_offset d11, 120
    .cfi_rel_offset d12, 128
    .cfi_rel_offset d13, 136
    .cfi_rel_offset d14, 144
    .cfi_rel_offset d15, 152
    .endm

    .text
    .globl  salp__switch
    .hidden salp__switch
    .type   salp__switch, %function
    .globl  salp__switch_arrive
    .hidden salp__switch_arrive
    .p2align 4
salp__switch:
    .cfi_startproc
    hint    #34                 // bti c
    sub     sp, sp, #176
    .cfi_adjust_cfa_offset 176
    stp     x19, x20, [sp]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    saved_at_the_pointer
    mrs     x9, fpcr
    str     x9, [sp, #160]
    mov     x10, sp
    str     x10, [x0]
    // From here on the same registers lie in the same places of the other stack.
    mov     sp, x1
salp__switch_arrive:
    ldr     x10, [sp, #160]
    cmp     x9, x10
    b.eq    1f
    msr     fpcr, x10
1:
    ldp     d14, d15, [sp, #144]
    ldp     d12, d13, [sp, #128]
    ldp     d10, d11, [sp, #112]
    ldp     d8, d9, [sp, #96]
    ldp     x29, x30, [sp, #80]
    ldp     x27, x28, [sp, #64]
    ldp     x25, x26, [sp, #48]
    ldp     x23, x24, [sp, #32]
    ldp     x21, x22, [sp, #16]
    ldp     x19, x20, [sp]
    add     sp, sp, #176
    .cfi_adjust_cfa_offset -176
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
    adr     x9, salp__switch_first
    cmp     x9, x30
    b.eq    salp__switch_first
    ret
    .cfi_endproc
    .size   salp__switch, . - salp__switch

// From a stack that is left for ever.
    .globl  salp__switch_last
    .hidden salp__switch_last
    .type   salp__switch_last, %function
    .p2align 4
salp__switch_last:
    .cfi_startproc
    hint    #34                 // bti c
    mrs     x9, fpcr
    mov     sp, x0
    saved_at_the_pointer
    b       salp__switch_arrive
    .cfi_endproc
    .size   salp__switch_last, . - salp__switch_last

// Where a fresh stack begins: x19(x20), as salp__switch_prepare has put them there. Whoever walks a stack looks up what
// comes before a return address: so something has to come before the first instruction, which is the return address of a
// stack that was not begun, and before the one to which the function would return.
    .globl  salp__switch_begin
    .hidden salp__switch_begin
    .globl  salp__switch_first
    .hidden salp__switch_first
    .type   salp__switch_begin, %function
    .p2align 4
salp__switch_begin:
    .cfi_startproc
    .cfi_undefined x30
    nop
salp__switch_first:
    mov     x0, x20
    mov     x29, xzr
    adr     x30, 1f
    mov     x16, x19            // by which "bti c" lets one come
    br      x16
1:
    brk     #1
    .cfi_endproc
    .size   salp__switch_begin, . - salp__switch_begin

    .section .note.GNU-stack, "", %progbits
