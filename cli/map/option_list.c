/*
 * The options of salp map.
 *
 * What several options mean together is not decided here but when all were read (options.c): -N, -L and --header are other
 * things with --pipe than without.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/option_list.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map/stop.h"
#include "map/values.h"

/* ---- those that are more than a field ---- */

static bool take_jobs(struct map_options *o, const char *text)
{
    return map_value_slots(text, &o->slots);
}

static bool take_timeout(struct map_options *o, const char *text)
{
    o->timeout = 0;
    o->timeout_percent = 0;
    bool percent = map_value_percent(text, &o->timeout_percent);
    return percent ? o->timeout_percent > 0 : map_value_duration(text, &o->timeout);
}

/* GNU: "as --jobs, but 0 is 0.01": of that, numbers and percentages. */
static bool take_load(struct map_options *o, const char *text)
{
    char *end;
    o->load_percent = map_value_percent(text, &o->load);
    if (!o->load_percent)
        o->load = strtod(text, &end);
    if (!o->load_percent && (end == text || *end || !(o->load >= 0 && o->load < 1e9)))
        return false;
    if (o->load == 0)
        o->load = 0.01;
    return true;
}

static bool take_halt(struct map_options *o, const char *text)
{
    return map_value_halt(text, &o->halt);
}

static bool take_stop_sequence(struct map_options *o, const char *text)
{
    struct map_stop sequence;
    o->term_sequence = text;
    return map_stop_read(&sequence, text);
}

static bool take_null(struct map_options *o, const char *text)
{
    (void)text;
    free((char *)(uintptr_t)o->input.delimiters);
    o->input.delimiter = '\0';
    o->input.delimiters = NULL;
    return true;
}

/* Its bytes, which end where *size says, and no earlier. There may be none. */
static bool take_bytes(const char **bytes, size_t *size, const char *text)
{
    char *copy = strdup(text);
    free((char *)(uintptr_t)*bytes);
    *bytes = copy;
    *size = copy ? map_value_unescape(copy) : 0;
    return copy != NULL;
}

static bool take_delimiter(struct map_options *o, const char *text)
{
    size_t size;
    if (!take_bytes(&o->input.delimiters, &size, text) || size == 0 || (size > 1 && strlen(o->input.delimiters) < size))
        return false;
    o->input.delimiter = o->input.delimiters[0];
    if (size > 1)
        return true;
    free((char *)(uintptr_t)o->input.delimiters);
    o->input.delimiters = NULL;
    return true;
}

static bool take_replace(struct map_options *o, const char *text)
{
    o->template.replace = text && *text ? text : "{}";
    return true;
}

/* -n 0, -N 0: a job for each input, and the input is not put at the end of its command. */
static bool take_count(struct map_options *o, const char *text)
{
    int64_t number;
    if (!map_value_number(text, 0, INT32_MAX, &number))
        return false;
    o->input.max_args = number == 0 ? 1 : (int)number;
    o->template.no_append = number == 0;
    return true;
}

static bool take_lines(struct map_options *o, const char *text)
{
    int64_t number;
    if (!map_value_number(text ? text : "1", 0, INT32_MAX, &number))
        return false;
    o->input.max_lines = number == 0 ? 1 : (int)number;
    o->template.no_append |= number == 0;
    return true;
}

static bool take_fill(struct map_options *o, const char *text)
{
    (void)text;
    o->input.fill = o->shares_out = true;
    return true;
}

static bool take_context_replace(struct map_options *o, const char *text)
{
    o->template.context = true;
    return take_fill(o, text);
}

static bool take_trim(struct map_options *o, const char *text)
{
    static const struct {
        const char *text;
        enum input_trim trim;
    } words[] = {
        { "n", INPUT_TRIM_NONE },  { "l", INPUT_TRIM_LEFT },  { "r", INPUT_TRIM_RIGHT },
        { "lr", INPUT_TRIM_BOTH }, { "rl", INPUT_TRIM_BOTH },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i].text) == 0) {
            o->input.trim = words[i].trim;
            o->trims = true;
            return true;
        }
    }
    return false;
}

static bool take_shuffle(struct map_options *o, const char *text)
{
    int64_t seed = 0;
    o->input.shuffle = true;
    bool sound = !text || map_value_number(text, 1, INT64_MAX, &seed);
    o->input.shuffle_seed = (uint64_t)seed;
    return sound;
}

static bool take_chars(struct map_options *o, const char *text)
{
    int64_t size;
    bool sound = map_value_size(text, &size) && size > 0;
    if (sound)
        o->input.max_chars = (size_t)size;
    return sound;
}

static bool take_block(struct map_options *o, const char *text)
{
    int64_t size = 0, each = 0;
    bool sound =
        text[0] == '-' ? map_value_number(text + 1, 1, INT32_MAX, &each) : map_value_size(text, &size) && size > 0;
    if (sound) {
        o->input.block = (size_t)size;
        o->blocks_each = (int)each;
    }
    return sound;
}

static bool take_record_start(struct map_options *o, const char *text)
{
    return take_bytes(&o->input.record_start, &o->input.record_start_size, text);
}

static bool take_record_end(struct map_options *o, const char *text)
{
    return take_bytes(&o->input.record_end, &o->input.record_end_size, text);
}

static bool take_tag(struct map_options *o, const char *text)
{
    free((char *)(uintptr_t)o->template.tag);
    char *tag = NULL;
    int size = asprintf(&tag, "%s\t", text ? text : "{}");
    o->template.tag = size < 0 ? NULL : tag;
    return size >= 0;
}

static bool take_no_order(struct map_options *o, const char *text)
{
    (void)text;
    o->output.keep_order = false;
    return true;
}

static bool take_results(struct map_options *o, const char *text)
{
    o->output.results = text;
    return *text != '\0';
}

/* A name of the environment ends at the first '='. */
static bool take_slot_variable(struct map_options *o, const char *text)
{
    o->slot_variable = text;
    return *text && !strchr(text, '=');
}

static bool take_tries(struct map_options *o, const char *text)
{
    int64_t number;
    if (!map_value_number(text, 0, INT32_MAX, &number))
        return false;
    o->tries = number == 0 ? INT32_MAX : (int)number;
    return true;
}

static bool take_shell_quote(struct map_options *o, const char *text)
{
    (void)text;
    o->dry_run = true;
    o->shell_quotes++;
    return true;
}

static bool take_resume_failed(struct map_options *o, const char *text)
{
    (void)text;
    o->resume = o->resume_failed = true;
    return true;
}

static bool take_trace(struct map_options *o, const char *text)
{
    (void)text;
    o->verbose = true;
    return true;
}

static bool take_interactive(struct map_options *o, const char *text)
{
    (void)text;
    o->interactive = o->verbose = true;
    return true;
}

/* ---- those that print something and are done ---- */

static _Noreturn void finish(void)
{
    exit(fflush(stdout) == 0 ? 0 : MAP_EXIT_ERROR);
}

static bool take_help(struct map_options *o, const char *text)
{
    (void)o, (void)text;
    map_help();
    finish();
}

static bool take_help_all(struct map_options *o, const char *text)
{
    (void)o, (void)text;
    map_help_all();
    finish();
}

static bool take_version(struct map_options *o, const char *text)
{
    (void)o, (void)text;
    puts("salp " SALP_VERSION);
    finish();
}

static bool take_citation(struct map_options *o, const char *text)
{
    (void)o, (void)text;
    map_citation();
    finish();
}

/* ---- all of them ---- */

#define FIELD(name) offsetof(struct map_options, name)
#define HEADING(line) .name = line, .kind = MAP_OPTION_HEADING
#define FLAG(name) .kind = MAP_OPTION_FLAG, .field = FIELD(name)
#define CHOICE(name, choice) .kind = MAP_OPTION_CHOICE, .field = FIELD(name), .value = choice
#define WORD(name) .kind = MAP_OPTION_WORD, .field = FIELD(name)
#define NUMBER(name, least) .kind = MAP_OPTION_NUMBER, .field = FIELD(name), .value = least
#define DURATION(name) .kind = MAP_OPTION_DURATION, .field = FIELD(name)
#define SIZE(name) .kind = MAP_OPTION_SIZE, .field = FIELD(name)
#define TAKEN(function) .kind = MAP_OPTION_TAKEN, .take = function
#define IGNORED .kind = MAP_OPTION_IGNORED

const struct map_option map_option_list[] = {
    { HEADING("How many at a time, and for how long") },
    { "jobs", 'j', "N",
      "N jobs at a time; N%, +N, -N: of the processors; 0: as many as can be; a file that has one of these. Else: what "
      "this machine allows, or below make its jobserver",
      TAKEN(take_jobs) },
    { "max-procs", 'P', "N", NULL, TAKEN(take_jobs) },
    { "timeout", 0, "TIME", "end a job that takes longer: 2.5, 500ms, 1h30m; 200%: of the median of those before",
      TAKEN(take_timeout) },
    { "retries", 0, "N", "run a job that fails up to N times in all; 0: until it succeeds", TAKEN(take_tries) },
    { "halt", 0, "WHEN,WHY=N",
      "stop early: soon (no more are started) or now (running ones are ended), when fail=, success= or done= so many "
      "jobs, or N% of all have. Also never, 0, 1, 2, -1, -2",
      TAKEN(take_halt) },
    { "halt-on-error", 0, "WHEN,WHY=N", NULL, TAKEN(take_halt) },
    { "delay", 0, "TIME", "so much time between two starts", DURATION(delay) },
    { "load", 0, "N", "start none while the load of the machine is above N, or N% of the processors",
      TAKEN(take_load) },
    { "memfree", 0, "SIZE",
      "start none while less memory is available; below half of that, end the youngest and run it again later",
      SIZE(memory_free) },
    { "memory-limit", 0, "SIZE", "end a job that has more memory, with all that it has started", SIZE(memory_limit) },
    { "nice", 0, "N", "run the jobs with that niceness", NUMBER(nice, -20) },
    { "term-seq", 0, "SEQUENCE",
      "how jobs are ended: signals, and milliseconds between them (TERM,200,TERM,100,TERM,50,KILL,25)",
      TAKEN(take_stop_sequence) },
    { "termseq", 0, "SEQUENCE", NULL, TAKEN(take_stop_sequence) },
    { "workdir", 0, "FOLDER", "run the jobs there", WORD(folder) },
    { "wd", 0, "FOLDER", NULL, WORD(folder) },

    { HEADING("Inputs") },
    { "arg-file", 'a', "FILE", "take inputs from a file, as with ::::; again for another list",
      TAKEN(map_option_add_file) },
    { "null", '0', NULL, "inputs end with a zero byte, not with a newline", TAKEN(take_null) },
    { "delimiter", 'd', "BYTES", "inputs end with that: ',', '\\t', '\\x1e'", TAKEN(take_delimiter) },
    { "colsep", 'C', "REGEXP", "split inputs into columns there: {1}, {2}", WORD(input.columns) },
    { "csv", 0, NULL,
      "inputs are records of RFC 4180, with ',' or what --colsep says between columns, which may be quoted",
      FLAG(csv) },
    { "header", 0, ":",
      "the first input of each list names its column: {name}. With --pipe: a regular expression of what each block "
      "begins with",
      WORD(header) },
    { "link", 0, NULL, "take one input of each list, instead of all combinations", FLAG(input.link_all) },
    { "xapply", 0, NULL, NULL, FLAG(input.link_all) },
    { "max-args", 'n', "N", "at most N inputs to a job; 0: one, that is not put into the command", TAKEN(take_count) },
    { "max-replace-args", 'N', "N", "N inputs to a job, as {1} to {N}. With --pipe: N records to a block",
      TAKEN(take_count) },
    { "max-lines", 'L', "N", "N lines that are not empty to a job. With --pipe: N lines to a record",
      TAKEN(take_lines) },
    { NULL, 'l', "[N]", NULL, TAKEN(take_lines) },
    { "xargs", 0, NULL, "as many inputs to a job as its command may have", FLAG(input.fill) },
    { NULL, 'm', NULL, "the same; the last ones are shared out to all slots", TAKEN(take_fill) },
    { NULL, 'X', NULL, "as -m; a word with {} in it is repeated for each input", TAKEN(take_context_replace) },
    { "max-chars", 's', "N", "bytes of a command at most, with all its inputs", TAKEN(take_chars) },
    { NULL, 'E', "WORD", "an input that is this one ends its list", WORD(input.end) },
    { "eof", 'e', "[WORD]", NULL, WORD(input.end) },
    { "no-run-if-empty", 'r', NULL, "leave out inputs with nothing but blanks; say nothing if there is no input",
      FLAG(input.skip_empty) },
    { "trim", 0, "n|l|r|lr", "take blanks away from neither side of inputs, the left, the right, both",
      TAKEN(take_trim) },
    { "shuf", 0, "[SEED]", "in an order by chance; the same one again with the same seed", TAKEN(take_shuffle) },
    { "arg-sep", 0, "WORD", "what stands for :::", WORD(value_mark) },
    { "arg-file-sep", 0, "WORD", "what stands for ::::", WORD(file_mark) },

    { HEADING("Blocks of standard input") },
    { "pipe", 0, NULL, "give standard input to the jobs, in blocks of whole records", FLAG(input.pipe) },
    { "spreadstdin", 0, NULL, NULL, FLAG(input.pipe) },
    { "pipe-part", 0, NULL, NULL, FLAG(pipe_part) },
    { "pipepart", 0, NULL, NULL, FLAG(pipe_part) },
    { "round-robin", 0, NULL, "so many jobs as -j says, each of which gets one block after another",
      FLAG(round_robin) },
    { "roundrobin", 0, NULL, NULL, FLAG(round_robin) },
    { "round", 0, NULL, NULL, FLAG(round_robin) },
    { "tee", 0, NULL, "each job, one for each value, gets all of standard input", FLAG(tee) },
    { "cat", 0, NULL, "a block is a file, {}, and not standard input", FLAG(cat) },
    { "fifo", 0, NULL, "a block is a fifo, {}, that can be read once", FLAG(fifo) },
    { "block", 0, "SIZE", "bytes of a block, about (1M); -N: a file is divided into N blocks for each slot",
      TAKEN(take_block) },
    { "block-size", 0, "SIZE", NULL, TAKEN(take_block) },
    { "recend", 0, "BYTES", "a record ends with this ('\\n')", TAKEN(take_record_end) },
    { "recstart", 0, "BYTES", "a record begins with this", TAKEN(take_record_start) },
    { "regexp", 0, NULL, "both are regular expressions", FLAG(input.record_regexp) },
    { "rrs", 0, NULL, "do not pass start and end on", FLAG(input.record_remove) },
    { "remove-rec-sep", 0, NULL, NULL, FLAG(input.record_remove) },
    { "removerecsep", 0, NULL, NULL, FLAG(input.record_remove) },

    { HEADING("The command") },
    { NULL, 'I', "TEXT", "what stands for {}", TAKEN(take_replace) },
    { "replace", 'i', "[TEXT]", NULL, TAKEN(take_replace) },
    { "extensionreplace", 0, "TEXT", "what stands for {.}", WORD(template.replace_noext) },
    { "er", 0, "TEXT", NULL, WORD(template.replace_noext) },
    { "basenamereplace", 0, "TEXT", "what stands for {/}", WORD(template.replace_base) },
    { "bnr", 0, "TEXT", NULL, WORD(template.replace_base) },
    { "dirnamereplace", 0, "TEXT", "what stands for {//}", WORD(template.replace_dir) },
    { "dnr", 0, "TEXT", NULL, WORD(template.replace_dir) },
    { "basenameextensionreplace", 0, "TEXT", "what stands for {/.}", WORD(template.replace_basenoext) },
    { "bner", 0, "TEXT", NULL, WORD(template.replace_basenoext) },
    { "seqreplace", 0, "TEXT", "what stands for {#}", WORD(template.replace_number) },
    { "slotreplace", 0, "TEXT", "what stands for {%}", WORD(template.replace_slot) },
    { "plus", 0, NULL,
      "also {..} {...} {+.} {+/} and the like, {##}: how many jobs there are, {0#} {0%}: with zeros in front, "
      "{:-text} {:2:3} {#re} {%re} {/re/text} {^re} {,re}: as ${...} of bash, with regular expressions, {uniq} "
      "{choose_k}",
      FLAG(template.plus) },
    { "quote", 'q', NULL, "quote the command's words for the shell", FLAG(template.quote) },
    { "shellquote", 0, NULL,
      "show each command, or each input if there is no command, as one word of the shell, and run nothing; twice: "
      "quoted twice",
      TAKEN(take_shell_quote) },
    { "shell-quote", 0, NULL, NULL, TAKEN(take_shell_quote) },
    { "shell", 0, NULL, "run the command by the shell, also if it is several words", FLAG(template.always_shell) },
    { "process-slot-var", 0, "NAME", "a variable of the environment that tells a job its slot, from 0",
      TAKEN(take_slot_variable) },
    { "function", 0, "FILE:NAME", "call a C function, of a library (.so) or of a source (.c) that is compiled first",
      WORD(function) },
    { "threads", 0, NULL, "call it in threads, not in processes", FLAG(threads) },

    { HEADING("Output") },
    { "keep-order", 'k', NULL, "show what jobs write in the order of the inputs", FLAG(output.keep_order) },
    { "no-keep-order", 0, NULL, "show it in the order in which the jobs end (the usual)", TAKEN(take_no_order) },
    { "group", 0, NULL, "show it when the job has ended (the usual)", CHOICE(output.way, OUTPUT_GROUPED) },
    { "line-buffer", 0, NULL, "show it line by line", CHOICE(output.way, OUTPUT_BY_LINE) },
    { "linebuffer", 0, NULL, NULL, CHOICE(output.way, OUTPUT_BY_LINE) },
    { "lb", 0, NULL, NULL, CHOICE(output.way, OUTPUT_BY_LINE) },
    { "ungroup", 'u', NULL, "let jobs write by themselves", CHOICE(output.way, OUTPUT_UNGROUPED) },
    { "tag", 0, NULL, "begin each line with the job's inputs and a tab", TAKEN(take_tag) },
    { "ctag", 0, NULL, NULL, TAKEN(take_tag) },
    { "tagstring", 0, "TEXT", "begin each line with this, in which {} and so on are replaced", TAKEN(take_tag) },
    { "ctagstring", 0, "TEXT", NULL, TAKEN(take_tag) },
    { "results", 0, "FOLDER", "keep output in files there; FILE.csv, FILE.tsv: in one table", TAKEN(take_results) },
    { "res", 0, "FOLDER", NULL, TAKEN(take_results) },
    { "files", 0, NULL, "show the names of files that have the output", FLAG(output.files) },
    { "output-as-files", 0, NULL, NULL, FLAG(output.files) },
    { "outputasfiles", 0, NULL, NULL, FLAG(output.files) },
    { "tmpdir", 0, "FOLDER", "for what is too much for memory", WORD(output.temporary) },
    { "tempdir", 0, "FOLDER", NULL, WORD(output.temporary) },
    { "json", 0, NULL, "show a line of JSON for each job instead", FLAG(json) },
    { "dry-run", 0, NULL, "show the commands, and run nothing", FLAG(dry_run) },
    { "dryrun", 0, NULL, NULL, FLAG(dry_run) },
    { "verbose", 't', NULL, "show each command on standard error before it runs", TAKEN(take_trace) },
    { NULL, 'v', NULL, "show each command before its output", FLAG(verbose_output) },
    { "interactive", 'p', NULL, "ask before each job, at the terminal", TAKEN(take_interactive) },

    { HEADING("Progress, journal") },
    { "bar", 0, NULL, "show progress on standard error, also if that is no terminal",
      CHOICE(progress, MAP_PROGRESS_BAR) },
    { "progress", 0, NULL, NULL, CHOICE(progress, MAP_PROGRESS_BAR) },
    { "eta", 0, NULL, NULL, CHOICE(progress, MAP_PROGRESS_BAR) },
    { "no-bar", 0, NULL, "show no progress", CHOICE(progress, MAP_PROGRESS_OFF) },
    { "summary", 0, NULL, "tell at the end what has become of the jobs", CHOICE(summary, MAP_SUMMARY_SHOWN) },
    { "no-summary", 0, NULL, "do not, on a terminal either", CHOICE(summary, MAP_SUMMARY_OFF) },
    { "joblog", 0, "FILE", "a line for each job, as GNU parallel has it", WORD(joblog) },
    { "jl", 0, "FILE", NULL, WORD(joblog) },
    { "journal", 0, "FILE", "keep what has become of each job in an SQLite file", WORD(journal) },
    { "resume", 0, NULL, "run only what the journal does not know as done", FLAG(resume) },
    { "resume-failed", 0, NULL, "and also what has failed", TAKEN(take_resume_failed) },
    { "retry-failed", 0, NULL,
      "run the commands again that have failed by the joblog, which has their lines; no others", FLAG(retry_failed) },

    { HEADING("Others") },
    { "help", 'h', NULL, "the most important of this", TAKEN(take_help) },
    { "help-all", 0, NULL, "this", TAKEN(take_help_all) },
    { "version", 'V', NULL, "tell the version", TAKEN(take_version) },
    { "citation", 0, NULL, "why there is nothing to cite", TAKEN(take_citation) },
    { "bibtex", 0, NULL, NULL, TAKEN(take_citation) },
    { "will-cite", 0, NULL, NULL, IGNORED },
    { "no-notice", 0, NULL, NULL, IGNORED },
    { "nn", 0, NULL, NULL, IGNORED },
    { "gnu", 0, NULL, NULL, IGNORED },
    { "plain", 0, NULL, NULL, IGNORED },
    { "silent", 0, NULL, NULL, IGNORED },
    { "env", 0, "NAME", NULL, IGNORED },
    { "compress", 0, NULL, NULL, IGNORED },
    { "compress-program", 0, "COMMAND", NULL, IGNORED },
    { "decompress-program", 0, "COMMAND", NULL, IGNORED },
    { "color", 0, NULL, NULL, IGNORED },
    { "color-failed", 0, NULL, NULL, IGNORED },
    { "cf", 0, NULL, NULL, IGNORED },
    { "exit", 'x', NULL, NULL, IGNORED },
    { "use-cpus-instead-of-cores", 0, NULL, NULL, IGNORED },
    { "use-sockets-instead-of-threads", 0, NULL, NULL, IGNORED },
    { "use-cores-instead-of-threads", 0, NULL, NULL, IGNORED },
};

const int map_option_count = sizeof map_option_list / sizeof *map_option_list;
