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
 * SPDX-License-Identifier: MIT
 */
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
    ret
2:
    .cfi_adjust_cfa_offset 56
    .cfi_rel_offset %rbp, 48
    .cfi_rel_offset %rbx, 40
    .cfi_rel_offset %r12, 32
    .cfi_rel_offset %r13, 24
    .cfi_rel_offset %r14, 16
    .cfi_rel_offset %r15, 8
    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    jmp     1b
    .cfi_endproc
    .size   salp__switch, . - salp__switch

/*
 * Where a fresh stack begins: rbx(r12), as salp__switch_prepare has put them there. Its first return address is that of
 * the first instruction; whoever walks a stack looks up what comes before a return address, so that has to be here, too.
 */
    .globl  salp__switch_begin
    .hidden salp__switch_begin
    .globl  salp__switch_first
    .hidden salp__switch_first
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
    call    *%rbx
    ud2
    .cfi_endproc
    .size   salp__switch_begin, . - salp__switch_begin

    .section .note.GNU-stack, "", @progbits
