// Reads a row of strokes in Rust: handwriting READER.bin, with "x y pen_up" a line on the input.
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::io::Read;
use std::ptr::{null, null_mut};

#[repr(C)]
struct Point { x: f32, y: f32, pen_up: i32 }

#[repr(C)]
struct Row { text: *const c_char } // The other fields follow.

extern "C" {
    fn hw_begin(options: *const c_void, work: *mut *mut c_void) -> c_int;
    fn hw_message(work: *const c_void) -> *const c_char;
    fn hw_open(work: *mut c_void, title: *const c_char, bytes: *const u8, size: usize,
               network: *mut *mut c_void) -> c_int;
    fn hw_read_row(work: *mut c_void, reader: *const c_void, points: *const Point, count: usize,
                   row: *mut *mut Row) -> c_int;
    fn hw_free(result: *const c_void);
    fn hw_close(network: *mut c_void);
    fn hw_end(work: *mut c_void);
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: handwriting READER.bin");
    let (bytes, mut text) = (std::fs::read(&path).expect("the file"), String::new());
    std::io::stdin().read_to_string(&mut text).expect("points");
    let numbers: Vec<f32> = text.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let points: Vec<Point> =
        numbers.chunks_exact(3).map(|p| Point { x: p[0], y: p[1], pen_up: p[2] as i32 }).collect();
    let title = CString::new(path).expect("a name");
    let (mut work, mut network, mut row) = (null_mut(), null_mut(), null_mut());
    unsafe {
        let mut status = hw_begin(null(), &mut work);
        if status == 0 { status = hw_open(work, title.as_ptr(), bytes.as_ptr(), bytes.len(), &mut network); }
        if status == 0 { status = hw_read_row(work, network, points.as_ptr(), points.len(), &mut row); }
        let said = if status == 0 { (*row).text } else { hw_message(work) };
        println!("{}", CStr::from_ptr(said).to_string_lossy());
        hw_free(row as *const c_void); hw_close(network); hw_end(work);
        std::process::exit((status != 0) as i32);
    }
}
