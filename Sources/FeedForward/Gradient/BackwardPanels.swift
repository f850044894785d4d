/// The weights of a layer transposed, as the backward pass multiplies by them; in the type in which they were packed,
/// or as float32 where that is bytes or nibbles.
///
/// Unsafe pointers: none of its own; panels keep their memory.
struct BackwardPanels: Sendable {
  /// `grad_output·W_down → grad_hidden`: `dFF` outputs of `dOut` terms; nil without a down projection.
  let down: PackedPanels?
  /// `[grad_a, grad_b]·[W_a; W_b] → grad_input`: `dIn` outputs of `2·dFF` terms.
  let gateUp: PackedPanels

  var byteCount: Int { gateUp.byteCount + (down?.byteCount ?? 0) }

  /// - Throws: ``LayerError/outOfMemory(bytes:)``.
  init(gateUp: PackedPanels, down: PackedPanels?) throws(LayerError) {
    // Memory of their own, which goes back to the system with the layer.
    let packing = Packing(shelf: PanelShelf())
    self.gateUp = try PackedPanels(transposing: gateUp, operands: 2, packing: packing)
    self.down = try down.map { (down) throws(LayerError) in
      try PackedPanels(transposing: down, operands: 1, packing: packing)
    }
  }
}
