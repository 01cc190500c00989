# SPDX-License-Identifier: MIT
#
# For gdb: the tasks of the loop that the selected thread runs. `source tools/salp.gdb`; the program has to have Salp's
# debug information.
#
#   (gdb) salp-tasks              lists them
#   (gdb) salp-task 3             from now on, bt, frame, info locals are about task 3, which waits
#   (gdb) salp-back               as it was before; needed before the program goes on
#
# A task that waits is in salp__switch, and all its registers but two lie on its stack, where the notes in
# src/task/switch_*.S say. So those two are set; in a core file no register can be.

# $salp_wanted is a number. Then $salp_task is the task with this number, or NULL, and $salp_past is 1 when there is
# none from here on. Numbers are those of stacks: slab by slab, the newest first.
define salp--find
  set $salp_task = (salp__task *)0
  set $salp_past = 1
  set $salp_stacks = &salp__runtime_now->stacks
  set $salp_slab = $salp_stacks->slabs
  set $salp_unused = $salp_stacks->slab_left
  set $salp_number = $salp_wanted
  while $salp_slab && $salp_past
    set $salp_used = sizeof($salp_slab->known) / sizeof($salp_slab->known[0]) - $salp_unused
    if $salp_number < $salp_used
      set $salp_past = 0
      set $salp_stack = $salp_slab->memory + $salp_number * $salp_stacks->size + $salp_stacks->guard
      # SALP__CACHE_LINE is 128, COLOURS 16.
      set $salp_room = $salp_stacks->room - $salp_number % 16 * 128
      set $salp_task = (salp__task *)($salp_stack + ($salp_room - sizeof(salp__task)) / 128 * 128)
      # In no group: it has ended.
      if !$salp_task->link.next
        set $salp_task = (salp__task *)0
      end
    else
      set $salp_number = $salp_number - $salp_used
      set $salp_unused = 0
      set $salp_slab = $salp_slab->next
    end
  end
end
document salp--find
Used by salp-tasks and salp-task.
end

define salp-tasks
  if salp__runtime_now
    set $salp_wanted = 0
    salp--find
    while !$salp_past
      if $salp_task && $salp_task == salp__runtime_now->current
        printf "%d, running: ", $salp_wanted
        output $salp_task->function
        echo \n
      end
      if $salp_task && $salp_task != salp__runtime_now->current
        printf "%d, waiting: ", $salp_wanted
        output $salp_task->function
        echo \n
      end
      set $salp_wanted = $salp_wanted + 1
      salp--find
    end
  else
    echo This thread runs no loop.\n
  end
end
document salp-tasks
List the tasks of this thread's loop, each with the function that it began with.
end

define salp-task
  salp-back
  set $salp_wanted = $arg0
  set $salp_task = (salp__task *)0
  if salp__runtime_now
    salp--find
  end
  if !$salp_task
    echo There is no such task.\n
  else
    if $salp_task != salp__runtime_now->current
      select-frame 0
      set $salp_sp = $sp
      set $salp_pc = $pc
      set $salp_away = 1
      set $sp = $salp_task->pointer
      set $pc = &salp__switch_arrive
    end
  end
end
document salp-task
Look at a task of this thread's loop: salp-task NUMBER. Before the program goes on: salp-back.
end

set $salp_away = 0
define salp-back
  if $salp_away
    select-frame 0
    set $sp = $salp_sp
    set $pc = $salp_pc
    set $salp_away = 0
  end
end
document salp-back
Look at the thread as it is, after salp-task.
end
