// Reads a row of strokes in Dart: handwriting LIBRARY READER.bin, "x y pen_up" a line on the input.
// It needs package:ffi for strings and memory.
import 'dart:convert';
import 'dart:ffi';
import 'dart:io';
import 'package:ffi/ffi.dart';

final class Point extends Struct {
  @Float() external double x;
  @Float() external double y;
  @Int32() external int penUp;
}

final class Row extends Struct { external Pointer<Utf8> text; } // The other fields follow.

typedef Handle = Pointer<Void>;

void main(List<String> words) async {
  final c = DynamicLibrary.open(words[0]);
  final begin = c.lookupFunction<Int32 Function(Handle, Pointer<Handle>), int Function(Handle, Pointer<Handle>)>('hw_begin');
  final open = c.lookupFunction<Int32 Function(Handle, Handle, Pointer<Uint8>, Size, Pointer<Handle>), int Function(Handle, Handle, Pointer<Uint8>, int, Pointer<Handle>)>('hw_open');
  final read = c.lookupFunction<Int32 Function(Handle, Handle, Pointer<Point>, Size, Pointer<Pointer<Row>>), int Function(Handle, Handle, Pointer<Point>, int, Pointer<Pointer<Row>>)>('hw_read_row');
  final message = c.lookupFunction<Pointer<Utf8> Function(Handle), Pointer<Utf8> Function(Handle)>('hw_message');
  final work = calloc<Handle>(), network = calloc<Handle>(), row = calloc<Pointer<Row>>();
  final content = File(words[1]).readAsBytesSync(), bytes = calloc<Uint8>(content.length);
  bytes.asTypedList(content.length).setAll(0, content);
  final lines = await stdin.transform(utf8.decoder).transform(const LineSplitter()).toList();
  final points = calloc<Point>(lines.length);
  for (var n = 0; n < lines.length; n++) {
    final p = lines[n].split(' ');
    points[n]..x = double.parse(p[0])..y = double.parse(p[1])..penUp = int.parse(p[2]);
  }
  var status = begin(nullptr, work);
  if (status == 0) status = open(work.value, nullptr, bytes, content.length, network);
  if (status == 0) status = read(work.value, network.value, points, lines.length, row);
  print((status == 0 ? row.value.ref.text : message(work.value)).toDartString());
  exit(status == 0 ? 0 : 1); // Which frees all.
}
