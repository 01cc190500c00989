// peer.rs - the works by Rayon: joins, its loops and its sort. What surrounds them is that of all programs (../work.h).
// Nothing is cut off: neither are Salp's programs.
//
// SPDX-License-Identifier: MIT

use rayon::prelude::*;
use std::os::raw::{c_int, c_long};

const QUEENS_MAX: usize = 16;
const SORT_SMALL: usize = 4096;
const WHOLE: c_int = 0;
const BY_INNER: c_int = 3;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Product {
    c: *mut f64,
    a: *const f64,
    b: *const f64,
    rows: usize,
    inner: usize,
    columns: usize,
    width: usize,
}

// The halves that run at the same time write to different places.
unsafe impl Send for Product {}
unsafe impl Sync for Product {}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Node {
    random: u64,
    depth: c_int,
}

extern "C" {
    fn bench_product_divide(product: *const Product, halves: *mut Product) -> c_int;
    fn bench_product_compute(product: *const Product);
    fn bench_partition(items: *mut c_int, count: usize, less: *mut usize, more: *mut usize);
    fn bench_sort(items: *mut c_int, count: usize);
    fn bench_skewed_item(index: usize, count: usize) -> u64;
}

/// Calls `part` with each of the numbers, and adds what it returns: by halves, down to single ones.
fn add_all<F: Fn(usize) -> c_long + Sync>(first: usize, end: usize, part: &F) -> c_long {
    match end - first {
        0 => 0,
        1 => part(first),
        count => {
            let middle = first + count / 2;
            let (a, b) = rayon::join(|| add_all(first, middle, part), || add_all(middle, end, part));
            a + b
        }
    }
}

/// What is called from a thread that is none of Rayon's moves there once, and not at each join.
fn inside<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

extern "C" fn open(workers: c_int) {
    rayon::ThreadPoolBuilder::new().num_threads(workers as usize).build_global().unwrap();
}

fn fib_of(n: c_int) -> c_long {
    if n < 2 {
        return n as c_long;
    }
    let (a, b) = rayon::join(|| fib_of(n - 1), || fib_of(n - 2));
    a + b
}

extern "C" fn fib(n: c_int) -> c_long {
    inside(|| fib_of(n))
}

fn skynet_of(first: c_long, count: c_long) -> c_long {
    if count == 1 {
        return first;
    }
    add_all(0, 10, &|i| skynet_of(first + i as c_long * (count / 10), count / 10))
}

extern "C" fn skynet(first: c_long, count: c_long) -> c_long {
    inside(|| skynet_of(first, count))
}

fn allows(board: &[i8; QUEENS_MAX], row: usize, column: usize) -> bool {
    board[..row].iter().enumerate().all(|(i, &taken)| {
        let across = taken as isize - column as isize;
        across != 0 && across.unsigned_abs() != row - i
    })
}

fn place(before: &[i8; QUEENS_MAX], n: usize, row: usize) -> c_long {
    if row == n {
        return 1;
    }
    let mut boards = [[0; QUEENS_MAX]; QUEENS_MAX];
    let mut count = 0;
    for column in 0..n {
        if allows(before, row, column) {
            boards[count] = *before;
            boards[count][row] = column as i8;
            count += 1;
        }
    }
    add_all(0, count, &|i| place(&boards[i], n, row + 1))
}

extern "C" fn queens(n: c_int) -> c_long {
    inside(|| place(&[0; QUEENS_MAX], n as usize, 0))
}

fn child(node: Node, index: usize) -> Node {
    let mut x = node.random.wrapping_add(0x9e3779b97f4a7c15u64.wrapping_mul(index as u64 + 1));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d049bb133111eb);
    Node { random: x ^ (x >> 31), depth: node.depth + 1 }
}

fn children(node: Node, deepest: c_int) -> usize {
    let drawn = (node.random >> 11) as f64 / (1u64 << 53) as f64;
    let (mut count, mut more) = (0, 0.8);
    while node.depth < deepest && drawn < more && count < 64 {
        count += 1;
        more *= 0.8;
    }
    count
}

fn tree_of(node: Node, deepest: c_int) -> c_long {
    1 + add_all(0, children(node, deepest), &|i| tree_of(child(node, i), deepest))
}

extern "C" fn tree(root: Node, deepest: c_int) -> c_long {
    inside(|| tree_of(root, deepest))
}

fn product_of(whole: &Product) {
    let mut halves = [*whole, *whole];
    match unsafe { bench_product_divide(whole, halves.as_mut_ptr()) } {
        WHOLE => unsafe { bench_product_compute(whole) },
        BY_INNER => {
            product_of(&halves[0]);
            product_of(&halves[1]);
        }
        _ => {
            rayon::join(|| product_of(&halves[0]), || product_of(&halves[1]));
        }
    }
}

extern "C" fn product(whole: &Product) {
    inside(|| product_of(whole))
}

fn quicksort_of(items: &mut [c_int]) {
    if items.len() <= SORT_SMALL {
        unsafe { bench_sort(items.as_mut_ptr(), items.len()) };
        return;
    }
    let (mut less, mut more) = (0, 0);
    unsafe { bench_partition(items.as_mut_ptr(), items.len(), &mut less, &mut more) };
    let (rest, right) = items.split_at_mut(more);
    rayon::join(|| quicksort_of(&mut rest[..less]), || quicksort_of(right));
}

unsafe extern "C" fn quicksort(items: *mut c_int, count: usize) {
    let items = std::slice::from_raw_parts_mut(items, count);
    inside(|| quicksort_of(items))
}

unsafe extern "C" fn sort(items: *mut c_int, count: usize) {
    std::slice::from_raw_parts_mut(items, count).par_sort_unstable();
}

unsafe extern "C" fn squares(items: *mut c_int, count: usize) {
    let items = std::slice::from_raw_parts_mut(items, count);
    items.par_iter_mut().for_each(|item| *item = item.wrapping_mul(*item));
}

/// Eight sums at a time: Rust leaves the order of adding to nobody.
unsafe extern "C" fn sum(items: *const f64, count: usize) -> f64 {
    let items = std::slice::from_raw_parts(items, count);
    items
        .par_chunks(1 << 16)
        .map(|part| {
            let mut sums = [0.0; 32];
            let parts = part.chunks_exact(32);
            let rest: f64 = parts.remainder().iter().sum();
            for part in parts {
                sums.iter_mut().zip(part).for_each(|(sum, item)| *sum += item);
            }
            rest + sums.iter().sum::<f64>()
        })
        .sum()
}

extern "C" fn skewed(count: usize) -> u64 {
    (0..count).into_par_iter().map(|i| unsafe { bench_skewed_item(i, count) }).sum()
}

extern "C" fn tiny() {
    std::hint::black_box(fib(6));
}

#[repr(C)]
pub struct Ways {
    name: [u8; 32],
    open: extern "C" fn(c_int),
    close: Option<extern "C" fn()>,
    fib: extern "C" fn(c_int) -> c_long,
    skynet: extern "C" fn(c_long, c_long) -> c_long,
    queens: extern "C" fn(c_int) -> c_long,
    tree: extern "C" fn(Node, c_int) -> c_long,
    product: extern "C" fn(&Product),
    quicksort: unsafe extern "C" fn(*mut c_int, usize),
    sort: unsafe extern "C" fn(*mut c_int, usize),
    mergesort: Option<unsafe extern "C" fn(*mut c_int, usize)>, // it is salp_sort's twin alone
    squares: unsafe extern "C" fn(*mut c_int, usize),
    sum: unsafe extern "C" fn(*const f64, usize) -> f64,
    skewed: extern "C" fn(usize) -> u64,
    tiny: extern "C" fn(),
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static bench_ways: Ways = Ways {
    name: *b"Rayon, in Rust\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    open,
    close: None,
    fib,
    skynet,
    queens,
    tree,
    product,
    quicksort,
    sort,
    mergesort: None,
    squares,
    sum,
    skewed,
    tiny,
};
