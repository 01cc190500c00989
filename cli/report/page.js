// What the page draws of the data that stands in it: the timeline of the slots, the histogram of durations, the
// table of all jobs. Nothing is ever made from a text of the data but text: textContent, no innerHTML.
"use strict";
(function () {
    const $ = id => document.getElementById(id);
    const data = JSON.parse($("data").textContent), states = data.states;

    // Rows become columns: report/page.c has them in this order.
    function columnsOf(rows) {
        const names = ["row", "run", "state", "attempt", "slot", "start", "time", "processor", "memory", "number", "input",
                       "cause", "output"];
        const made = {};
        names.forEach((name, index) => { made[name] = rows.map(row => row[index]); });
        return made;
    }
    const jobs = columnsOf(data.jobs), earlier = columnsOf(data.retried), count = data.jobs.length;

    function element(name, text, className) {
        const made = document.createElement(name);
        if (text !== undefined) made.textContent = text;
        if (className) made.className = className;
        return made;
    }

    // ---- numbers as people read them; times are microseconds, memory is in KiB ----

    function duration(us) {
        if (us === null) return "";
        const s = us / 1e6, round = (x, unit) => Number(x.toPrecision(3)) + " " + unit;
        if (s < 0.9995e-3) return round(us, "µs");
        if (s < 0.9995) return round(s * 1e3, "ms");
        if (s < 99.95) return round(s, "s");
        const whole = Math.round(s), two = (a, x, b, y) => a + " " + x + (b ? " " + b + " " + y : "");
        if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
        if (whole < 86400) return two(Math.floor(whole / 3600), "h", Math.floor(whole % 3600 / 60), "min");
        return two(Math.floor(whole / 86400), "d", Math.floor(whole % 86400 / 3600), "h");
    }
    function memory(kib) {
        if (!kib) return "";
        if (kib < 1024) return kib + " KiB";
        return kib < 1048576 ? (kib / 1024).toFixed(1) + " MiB" : (kib / 1048576).toFixed(1) + " GiB";
    }
    function date(us) {
        return us === null ? "" : new Date((data.begun + us) / 1e3).toLocaleString();
    }
    const colourName = state => "--" + states[state].replace(/ /g, "-");
    function stateCell(state, cause) {
        const cell = element("span", cause || states[state], "state");
        cell.style.setProperty("--colour", "var(" + colourName(state) + ")");
        return cell;
    }

    // ---- the timeline ----

    function timeline() {
        const canvas = $("timeline"), context = canvas.getContext("2d"), choice = $("run"), told = $("told");
        let run = data.runs[0], span, view, rows = [], order = [], from = 0, to = 1, colours = [], slots = 1;

        function choose(number) {
            run = data.runs.find(r => r.run === number) || data.runs[0];
            rows = [];
            const take = (list, isEarlier) => {
                for (let i = 0; i < list.slot.length; i++)
                    if (list.run[i] === run.run && list.start[i] !== null)
                        rows.push({ list, i, isEarlier, start: list.start[i],
                                    end: list.time[i] === null ? run.end : list.start[i] + list.time[i] });
            };
            take(jobs, false);
            take(earlier, true);
            order = [...new Set(rows.map(r => r.list.slot[r.i]))].sort((a, b) => a - b);
            const place = new Map(order.map((slot, i) => [slot, i]));
            for (const r of rows) r.place = place.get(r.list.slot[r.i]);
            slots = Math.max(1, order.length);
            span = { start: run.start, end: Math.max(run.end, run.start + 1) };
            // Unless the clock was set meanwhile, all jobs lie in their run.
            if (rows.some(r => r.start < span.start || r.end > span.end)) {
                span.start = rows.reduce((least, r) => Math.min(least, r.start), Infinity);
                span.end = rows.reduce((most, r) => Math.max(most, r.end), span.start + 1);
            }
            all();
        }
        function all() {
            from = span.start;
            to = span.end;
            draw();
        }
        const height = () => Math.max(8, Math.min(28, Math.floor(420 / slots)));
        function draw() {
            const scale = window.devicePixelRatio || 1, width = canvas.clientWidth || 800;
            const left = 44, bottom = 20, rowHeight = height(), tall = rowHeight * slots + bottom + 4;
            const style = getComputedStyle(document.documentElement);
            colours = states.map((_, i) => style.getPropertyValue(colourName(i)).trim() || "#888");
            canvas.width = width * scale;
            canvas.height = tall * scale;
            canvas.style.height = tall + "px";
            context.setTransform(scale, 0, 0, scale, 0, 0);
            context.clearRect(0, 0, width, tall);
            view = { left, width, rowHeight, tall, bottom, perPixel: (to - from) / (width - left) };
            const done = states.indexOf("done");
            let drawn = 0;
            // What is not done comes last and is never too narrow to be seen, be there ever so many jobs.
            for (const others of [false, true])
                for (const r of rows) {
                    const state = r.list.state[r.i];
                    if ((state !== done) !== others || r.end < from || r.start > to) continue;
                    const x = left + Math.max(0, (r.start - from) / view.perPixel);
                    const end = left + Math.min(width - left, (r.end - from) / view.perPixel);
                    const wide = Math.max(others ? 2 : 1, end - x - (end - x > 4 ? 1 : 0));
                    context.globalAlpha = r.isEarlier ? 0.5 : 1;
                    context.fillStyle = colours[state];
                    context.fillRect(x, 2 + r.place * rowHeight, wide, Math.max(1, rowHeight - 2));
                    drawn++;
                }
            context.globalAlpha = 1;
            context.fillStyle = style.getPropertyValue("--dim");
            context.font = "11px system-ui, sans-serif";
            context.textBaseline = "middle";
            const each = Math.ceil(14 / rowHeight);
            for (let i = 0; i < order.length; i += each)
                context.fillText(order[i], 4, 2 + i * rowHeight + rowHeight / 2);
            axis(width, tall, left, bottom);
            canvas.dataset.drawn = drawn;
            canvas.dataset.from = from;
            canvas.dataset.to = to;
        }
        function axis(width, tall, left, bottom) {
            const rough = (to - from) / Math.max(2, (width - left) / 110), power = 10 ** Math.floor(Math.log10(rough));
            const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough);
            for (let t = Math.ceil((from - span.start) / step) * step; span.start + t <= to; t += step) {
                const x = left + (span.start + t - from) / view.perPixel;
                context.fillRect(x, tall - bottom, 1, 4);
                context.fillText(t === 0 ? "0" : duration(t), x + 3, tall - bottom / 2);
            }
        }
        function zoom(factor, at) {
            const middle = at === undefined ? (from + to) / 2 : at, least = 10;
            const wide = Math.min(Math.max((to - from) * factor, least), Math.max(span.end - span.start, 1));
            const share = (middle - from) / (to - from);
            from = Math.max(span.start, Math.min(middle - share * wide, span.end - wide));
            to = from + wide;
            draw();
        }
        function move(by) {
            const wide = to - from;
            from = Math.max(span.start, Math.min(from + by, span.end - wide));
            to = from + wide;
            draw();
        }
        const timeAt = x => from + (x - view.left) * view.perPixel;
        function at(event) {
            const x = event.offsetX, place = Math.floor((event.offsetY - 2) / view.rowHeight), t = timeAt(x);
            let best = null, distance = 3 * view.perPixel;
            for (const r of rows) {
                if (r.place !== place) continue;
                const away = t < r.start ? r.start - t : t > r.end ? t - r.end : 0;
                if (away < distance) { best = r; distance = away; }
            }
            return best;
        }
        function tell(event) {
            const r = at(event);
            if (!r) { told.textContent = "Wheel or + and −: zoom; drag or arrows: move; click: show the job."; return; }
            const i = r.list === jobs ? r.i : jobs.row.indexOf(r.list.row[r.i]);
            told.textContent = "job " + (jobs.number[i] || "?") + ", attempt " + r.list.attempt[r.i] + ", slot " +
                r.list.slot[r.i] + ": " + states[r.list.state[r.i]] + ", " + duration(r.end - r.start) + ": " + jobs.input[i];
        }
        let drag = null;
        canvas.addEventListener("wheel", event => {
            event.preventDefault();
            zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.offsetX));
        }, { passive: false });
        canvas.addEventListener("pointerdown", event => { drag = { x: event.offsetX, moved: false }; });
        canvas.addEventListener("pointermove", event => {
            if (drag && event.buttons && Math.abs(event.offsetX - drag.x) > 2) {
                move((drag.x - event.offsetX) * view.perPixel);
                drag = { x: event.offsetX, moved: true };
            } else tell(event);
        });
        canvas.addEventListener("pointerup", event => {
            const r = drag && !drag.moved ? at(event) : null;
            drag = null;
            if (r) show(r.list === jobs ? r.i : jobs.row.indexOf(r.list.row[r.i]));
        });
        canvas.addEventListener("dblclick", all);
        canvas.addEventListener("keydown", event => {
            const keys = { "+": () => zoom(0.5), "-": () => zoom(2), "0": all, ArrowLeft: () => move((from - to) / 5),
                           ArrowRight: () => move((to - from) / 5) };
            if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
        });
        $("nearer").addEventListener("click", () => zoom(0.5));
        $("farther").addEventListener("click", () => zoom(2));
        $("whole").addEventListener("click", all);
        window.addEventListener("resize", draw);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
        for (const r of data.runs) {
            const option = element("option", "run " + r.run + ": " + date(r.start) + ", " + r.jobs + " jobs");
            option.value = r.run;
            choice.append(option);
        }
        choice.hidden = data.runs.length < 2;
        choice.addEventListener("change", () => choose(Number(choice.value)));
        if (data.runs.length === 0) return;
        // The last run in which something was done.
        const last = data.runs.filter(r => r.jobs > 0).pop() || data.runs[data.runs.length - 1];
        choice.value = last.run;
        choose(last.run);
    }

    // ---- the histogram: four bins for each doubling, from the first to the last that is not empty ----

    function histogram() {
        const bins = new Map(), svg = $("histogram"), space = "http://www.w3.org/2000/svg";
        for (const us of jobs.time)
            if (us !== null) {
                const bin = us > 0 ? Math.floor(Math.log2(us) * 4) : 0;
                bins.set(bin, (bins.get(bin) || 0) + 1);
            }
        if (bins.size === 0) return;
        const keys = [...bins.keys()], first = Math.min(...keys), last = Math.max(...keys);
        const columns = Math.max(8, last - first + 1), most = Math.max(...bins.values());
        const width = svg.clientWidth || 800, tall = 150, each = width / columns;
        svg.replaceChildren();
        const node = (name, attributes) => {
            const made = document.createElementNS(space, name);
            for (const key in attributes) made.setAttribute(key, attributes[key]);
            return made;
        };
        for (const [bin, jobsInIt] of bins) {
            const high = Math.max(1, jobsInIt / most * (tall - 16)), x = (bin - first) * each;
            const bar = node("rect", { x: x + 0.5, y: tall - high, width: Math.max(1, each - 1), height: high });
            const title = node("title", {});
            title.textContent = jobsInIt + " jobs from " + duration(2 ** (bin / 4)) + " to " + duration(2 ** ((bin + 1) / 4));
            bar.append(title);
            svg.append(bar);
        }
        const step = Math.max(1, Math.ceil(columns / 8));
        for (let bin = first; bin <= last; bin += step) {
            const text = node("text", { x: (bin - first) * each + 2, y: tall + 15 });
            text.textContent = duration(2 ** (bin / 4));
            svg.append(text);
        }
        const top = node("text", { x: 4, y: 12 });
        top.textContent = most + " jobs";
        svg.append(top);
    }

    // ---- the table ----

    const columns = [
        { name: "#", key: i => jobs.number[i], number: true, cell: i => jobs.number[i] },
        { name: "input", key: i => jobs.input[i], cell: i => jobs.input[i], text: true },
        { name: "state", key: i => states[jobs.state[i]] + (jobs.cause[i] || ""),
          node: i => stateCell(jobs.state[i], jobs.cause[i]) },
        { name: "start", key: i => jobs.start[i], number: true, cell: i => date(jobs.start[i]) },
        { name: "time", key: i => jobs.time[i], number: true, cell: i => duration(jobs.time[i]) },
        { name: "processor", key: i => jobs.processor[i], number: true, cell: i => duration(jobs.processor[i]) },
        { name: "memory", key: i => jobs.memory[i], number: true, cell: i => memory(jobs.memory[i]) },
        { name: "attempt", key: i => jobs.attempt[i], number: true, cell: i => jobs.attempt[i] },
        { name: "slot", key: i => jobs.slot[i], number: true, cell: i => jobs.slot[i] },
    ];
    const PAGE = 50;
    let shown = [], page = 0, sortBy = 0, down = false;

    function compare(column) {
        const keys = shown.map(column.key), places = shown.map((_, i) => i), sign = down ? -1 : 1;
        const words = new Intl.Collator(undefined, { numeric: true });
        places.sort((a, b) => {
            const x = keys[a], y = keys[b];
            if (x === null || y === null) return (x === null) - (y === null) || a - b; // what is not known comes last
            const order = column.number ? x - y : words.compare(x, y);
            return sign * order || a - b;
        });
        shown = places.map(i => shown[i]);
    }
    function select() {
        const words = $("search").value.toLowerCase(), state = $("state").value;
        shown = [];
        for (let i = 0; i < count; i++) {
            if (state !== "" && jobs.state[i] !== Number(state)) continue;
            if (words && !(jobs.input[i].toLowerCase().includes(words) || String(jobs.number[i]) === words ||
                           (jobs.cause[i] || states[jobs.state[i]]).toLowerCase().includes(words))) continue;
            shown.push(i);
        }
        compare(columns[sortBy]);
        page = 0;
        fill();
    }
    function fill() {
        const body = $("rows"), pages = Math.max(1, Math.ceil(shown.length / PAGE));
        body.replaceChildren();
        for (const i of shown.slice(page * PAGE, (page + 1) * PAGE)) {
            const row = element("tr");
            row.tabIndex = 0;
            for (const column of columns) {
                const cell = element("td", column.node ? undefined : column.cell(i), column.number ? "number" : column.text ? "text mono" : "");
                if (column.node) cell.append(column.node(i));
                row.append(cell);
            }
            row.addEventListener("click", () => show(i));
            row.addEventListener("keydown", event => { if (event.key === "Enter") show(i); });
            body.append(row);
        }
        $("where").textContent = shown.length + " of " + count + " jobs, page " + (page + 1) + " of " + pages;
        $("before").disabled = page === 0;
        $("after").disabled = page + 1 >= pages;
    }
    function table() {
        const head = $("head");
        columns.forEach((column, index) => {
            const cell = element("th", undefined, column.number ? "number" : ""), button = element("button", column.name);
            button.addEventListener("click", () => {
                down = sortBy === index ? !down : false;
                sortBy = index;
                for (const other of head.children) other.removeAttribute("aria-sort");
                cell.setAttribute("aria-sort", down ? "descending" : "ascending");
                compare(column);
                page = 0;
                fill();
            });
            cell.append(button);
            head.append(cell);
        });
        const there = new Set(jobs.state);
        states.forEach((name, index) => {
            if (!there.has(index)) return;
            const option = element("option", name);
            option.value = index;
            $("state").append(option);
        });
        $("search").addEventListener("input", select);
        $("state").addEventListener("change", select);
        $("before").addEventListener("click", () => { page--; fill(); });
        $("after").addEventListener("click", () => { page++; fill(); });
        select();
    }

    // ---- one job ----

    function show(i) {
        const place = $("one");
        place.replaceChildren(element("h2", "Job " + jobs.number[i]), element("pre", jobs.input[i]));
        const line = element("p");
        line.append(stateCell(jobs.state[i], jobs.cause[i]));
        line.append("; attempt " + jobs.attempt[i] + ", slot " + jobs.slot[i] +
            (jobs.start[i] === null ? "" : "; " + date(jobs.start[i])) +
            (jobs.time[i] === null ? "" : ", for " + duration(jobs.time[i])) +
            (jobs.processor[i] === null ? "" : "; processor " + duration(jobs.processor[i])) +
            (jobs.memory[i] ? "; memory " + memory(jobs.memory[i]) : ""));
        place.append(line);
        const output = jobs.output[i];
        if (output) {
            if (output[0]) place.append(element("p", "Command", "dim"), element("pre", output[0]));
            if (output[1]) place.append(element("p", "Output", "dim"), element("pre", output[1]));
            if (output[2]) place.append(element("p", "Errors", "dim"), element("pre", output[2]));
        } else
            place.append(element("p", "What it has written is in the journal; here it is kept of the first jobs that have failed.", "dim"));
        place.scrollIntoView({ block: "nearest" });
    }

    document.documentElement.classList.add("lives");
    timeline();
    histogram();
    window.addEventListener("resize", histogram);
    table();
    document.documentElement.dataset.ready = "yes";
})();
