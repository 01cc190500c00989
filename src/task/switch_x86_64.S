/*
 * The switch for x86-64 (System V ABI): rbx, rbp, r12 to r15, the control bits of MXCSR and the x87 control word are
 * the callee's to preserve.
 *
 *   rsp -> | control words | r15 | r14 | r13 | r12 | rbx | rbp | return address |
 *
 * Loading control words is slow, and they are nearly always the same, so they are compared first. The notes of where
 * registers lie let a debugger walk the stack of a task that is not running, from salp__switch_arrive (tools/salp.gdb);
 * the stack ends where the task began.
 *
 * A processor foretells where a return goes by the calls that it has seen, of whatever stack. One task is mostly left by the
 * same calls as the next, so that is right as long as calls and returns are paired: hence a fresh stack is begun by a jump,
 * which leaves the call of salp__switch to the return of whoever goes on when the task has ended, and nothing there is
 * called that does not return.
 *
 * SPDX-License-Identifier: MIT
 */
    .macro  saved_at_the_pointer
    .cfi_def_cfa_offset 64
    .cfi_rel_offset %rbp, 48
    .cfi_rel_offset %rbx, 40
    .cfi_rel_offset %r12, 32
    .cfi_rel_offset %r13, 24
    .cfi_rel_offset %r14, 16
    .cfi_rel_offset %r15, 8
    .endm

    .text
    .globl  salp__switch
    .hidden salp__switch
    .type   salp__switch, @function
    .globl  salp__switch_arrive
    .hidden salp__switch_arrive
    .p2align 4
salp__switch:
    .cfi_startproc
    endbr64
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq    $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw  4(%rsp)
    /* Each is read as wide as it was stored: a wider load would have to wait until both have left the store buffer. */
    movl    (%rsp), %eax
    movzwl  4(%rsp), %ecx
    movq    %rsp, (%rdi)
    /* From here on the same registers lie in the same places of the other stack. */
    movq    %rsi, %rsp
salp__switch_arrive:
    xorl    (%rsp), %eax
    xorw    4(%rsp), %cx
    /* The lower six bits of MXCSR say what has happened, and are nobody's to preserve. */
    andl    $0xffffffc0, %eax
    orl     %ecx, %eax
    jne     2f
1:
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    leaq    salp__switch_first(%rip), %rcx
    cmpq    %rcx, (%rsp)
    je      3f
    ret
3:
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    jmp     salp__switch_first
2:
    saved_at_the_pointer
    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    jmp     1b
    .cfi_endproc
    .size   salp__switch, . - salp__switch

/* From a stack that is left for ever. */
    .globl  salp__switch_last
    .hidden salp__switch_last
    .type   salp__switch_last, @function
    .p2align 4
salp__switch_last:
    .cfi_startproc
    endbr64
    stmxcsr -8(%rsp)
    fnstcw  -4(%rsp)
    movl    -8(%rsp), %eax
    movzwl  -4(%rsp), %ecx
    movq    %rdi, %rsp
    saved_at_the_pointer
    jmp     salp__switch_arrive
    .cfi_endproc
    .size   salp__switch_last, . - salp__switch_last

/*
 * Where a fresh stack begins: rbx(r12), as salp__switch_prepare has put them there, and with salp__switch_bottom as the
 * return address. Whoever walks a stack looks up what comes before a return address: so something has to come before the
 * first instruction, too, which is the return address of a stack that was not begun.
 */
    .globl  salp__switch_begin
    .hidden salp__switch_begin
    .globl  salp__switch_first
    .hidden salp__switch_first
    .globl  salp__switch_bottom
    .hidden salp__switch_bottom
    .type   salp__switch_begin, @function
    .p2align 4
salp__switch_begin:
    .cfi_startproc
    .cfi_undefined %rip
    nop
salp__switch_first:
    endbr64
    movq    %r12, %rdi
    xorl    %ebp, %ebp
    jmp     *%rbx
salp__switch_bottom:
    ud2
    .cfi_endproc
    .size   salp__switch_begin, . - salp__switch_begin

    .section .note.GNU-stack, "", @progbits
