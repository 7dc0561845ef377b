;; One layer of a network for a block of 8 points, in WebAssembly SIMD: y = act(W x + b).
;; `python -m scripts.make_wasm` assembles it into layer_wasm.js. network.js has the same in plain
;; JavaScript, and says how weights and values lie in memory.
(module
  (memory (export "memory") 1)

  ;; x / (1 + e^-x), for four numbers. e^z = 2^n e^r with n = round(z / ln 2), so |r| <= 0.35, where
  ;; six terms of the exponential series are good to 1.3e-7. ln 2 is subtracted in two parts,
  ;; the first of them short, so that n times it is exact.
  (func $silu (param $x v128) (result v128)
    (local $z v128) (local $n v128) (local $r v128)
    (local.set $z ;; -x, within what a float can hold 2^n of
      (f32x4.max (f32x4.splat (f32.const -87))
        (f32x4.min (f32x4.splat (f32.const 87)) (f32x4.neg (local.get $x)))))
    (local.set $n (f32x4.nearest
      (f32x4.mul (local.get $z) (f32x4.splat (f32.const 1.44269504)))))
    (local.set $r
      (f32x4.sub
        (f32x4.sub (local.get $z)
          (f32x4.mul (local.get $n) (f32x4.splat (f32.const 0.693359375))))
        (f32x4.mul (local.get $n) (f32x4.splat (f32.const -2.12194440e-4)))))
    (f32x4.div
      (local.get $x)
      (f32x4.add
        (f32x4.splat (f32.const 1))
        (f32x4.mul
          ;; 2^n: the exponent's bits
          (i32x4.shl
            (i32x4.add (i32x4.trunc_sat_f32x4_s (local.get $n)) (i32x4.splat (i32.const 127)))
            (i32.const 23))
          ;; 1 + r (1 + r (1/2 + r (1/6 + r (1/24 + r (1/120 + r/720)))))
          (f32x4.add (f32x4.splat (f32.const 1)) (f32x4.mul (local.get $r)
          (f32x4.add (f32x4.splat (f32.const 1)) (f32x4.mul (local.get $r)
          (f32x4.add (f32x4.splat (f32.const 0.5)) (f32x4.mul (local.get $r)
          (f32x4.add (f32x4.splat (f32.const 0.166666667)) (f32x4.mul (local.get $r)
          (f32x4.add (f32x4.splat (f32.const 0.0416666667)) (f32x4.mul (local.get $r)
          (f32x4.add (f32x4.splat (f32.const 0.00833333333)) (f32x4.mul (local.get $r)
            (f32x4.splat (f32.const 0.00138888889))))))))))))))))))

  ;; Four outputs at a time for all 8 points: sums a0..a3 for points 0-3, b0..b3 for points 4-7.
  ;; Addresses are in bytes. $outputs is a multiple of 4.
  (func (export "layer") (param $x i32) (param $w i32) (param $y i32)
      (param $inputs i32) (param $outputs i32) (param $hidden i32)
    (local $p i32) (local $end i32) (local $xa v128) (local $xb v128) (local $v v128)
    (local $a0 v128) (local $a1 v128) (local $a2 v128) (local $a3 v128)
    (local $b0 v128) (local $b1 v128) (local $b2 v128) (local $b3 v128)
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $inputs) (i32.const 5))))
    (loop $group
      (local.set $b0 (local.tee $a0 (v128.load32_splat (local.get $w))))
      (local.set $b1 (local.tee $a1 (v128.load32_splat offset=4 (local.get $w))))
      (local.set $b2 (local.tee $a2 (v128.load32_splat offset=8 (local.get $w))))
      (local.set $b3 (local.tee $a3 (v128.load32_splat offset=12 (local.get $w))))
      (local.set $w (i32.add (local.get $w) (i32.const 16)))
      (local.set $p (local.get $x))
      (loop $input
        (local.set $xa (v128.load (local.get $p)))
        (local.set $xb (v128.load offset=16 (local.get $p)))
        (local.set $v (v128.load32_splat (local.get $w)))
        (local.set $a0 (f32x4.add (local.get $a0) (f32x4.mul (local.get $v) (local.get $xa))))
        (local.set $b0 (f32x4.add (local.get $b0) (f32x4.mul (local.get $v) (local.get $xb))))
        (local.set $v (v128.load32_splat offset=4 (local.get $w)))
        (local.set $a1 (f32x4.add (local.get $a1) (f32x4.mul (local.get $v) (local.get $xa))))
        (local.set $b1 (f32x4.add (local.get $b1) (f32x4.mul (local.get $v) (local.get $xb))))
        (local.set $v (v128.load32_splat offset=8 (local.get $w)))
        (local.set $a2 (f32x4.add (local.get $a2) (f32x4.mul (local.get $v) (local.get $xa))))
        (local.set $b2 (f32x4.add (local.get $b2) (f32x4.mul (local.get $v) (local.get $xb))))
        (local.set $v (v128.load32_splat offset=12 (local.get $w)))
        (local.set $a3 (f32x4.add (local.get $a3) (f32x4.mul (local.get $v) (local.get $xa))))
        (local.set $b3 (f32x4.add (local.get $b3) (f32x4.mul (local.get $v) (local.get $xb))))
        (local.set $w (i32.add (local.get $w) (i32.const 16)))
        (br_if $input (i32.lt_u
          (local.tee $p (i32.add (local.get $p) (i32.const 32))) (local.get $end))))
      (if (local.get $hidden) (then
        (local.set $a0 (call $silu (local.get $a0))) (local.set $b0 (call $silu (local.get $b0)))
        (local.set $a1 (call $silu (local.get $a1))) (local.set $b1 (call $silu (local.get $b1)))
        (local.set $a2 (call $silu (local.get $a2))) (local.set $b2 (call $silu (local.get $b2)))
        (local.set $a3 (call $silu (local.get $a3))) (local.set $b3 (call $silu (local.get $b3)))))
      (v128.store (local.get $y) (local.get $a0))
      (v128.store offset=16 (local.get $y) (local.get $b0))
      (v128.store offset=32 (local.get $y) (local.get $a1))
      (v128.store offset=48 (local.get $y) (local.get $b1))
      (v128.store offset=64 (local.get $y) (local.get $a2))
      (v128.store offset=80 (local.get $y) (local.get $b2))
      (v128.store offset=96 (local.get $y) (local.get $a3))
      (v128.store offset=112 (local.get $y) (local.get $b3))
      (local.set $y (i32.add (local.get $y) (i32.const 128)))
      (br_if $group (local.tee $outputs (i32.sub (local.get $outputs) (i32.const 4)))))))
