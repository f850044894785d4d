/// Powers of ten as the two directions need them; the test target computes each entry again from integers.
package enum PowersOfTen {
  /// 10^e for e in 0…19.
  package static let integers: InlineArray<20, UInt64> = [
    1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000,
    100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000,
    10_000_000_000_000_000, 100_000_000_000_000_000, 1_000_000_000_000_000_000, 10_000_000_000_000_000_000,
  ]

  /// The least and the greatest e of `doubles`: 19 digits times any of them reaches beyond float32 on either side.
  package static let doubleExponents = -70...40

  /// 10^e for e in `doubleExponents`, each rounded to the nearest Double (exact for 0…22).
  package static let doubles: InlineArray<111, Double> = [
    1e-70, 1e-69, 1e-68, 1e-67, 1e-66, 1e-65, 1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55,
    1e-54, 1e-53, 1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39,
    1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23,
    1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6,
    1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
    1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33,
    1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40,
  ]

  /// The least e of `scaled`.
  package static let scaledMinExponent = -31

  /// ⌊10^e · 2^(63 − ⌊log2 10^e⌋)⌋ + 1 for e in −31…45: 64 significant bits, rounded up, for Schubfach over float32.
  package static let scaled: InlineArray<77, UInt64> = [
    0x81CE_B32C_4B43_FCF5, 0xA242_5FF7_5E14_FC32, 0xCAD2_F7F5_359A_3B3F, 0xFD87_B5F2_8300_CA0E,
    0x9E74_D1B7_91E0_7E49, 0xC612_0625_7658_9DDB, 0xF796_87AE_D3EE_C552, 0x9ABE_14CD_4475_3B53,
    0xC16D_9A00_9592_8A28, 0xF1C9_0080_BAF7_2CB2, 0x971D_A050_74DA_7BEF, 0xBCE5_0864_9211_1AEB,
    0xEC1E_4A7D_B695_61A6, 0x9392_EE8E_921D_5D08, 0xB877_AA32_36A4_B44A, 0xE695_94BE_C44D_E15C,
    0x901D_7CF7_3AB0_ACDA, 0xB424_DC35_095C_D810, 0xE12E_1342_4BB4_0E14, 0x8CBC_CC09_6F50_88CC,
    0xAFEB_FF0B_CB24_AAFF, 0xDBE6_FECE_BDED_D5BF, 0x8970_5F41_36B4_A598, 0xABCC_7711_8461_CEFD,
    0xD6BF_94D5_E57A_42BD, 0x8637_BD05_AF6C_69B6, 0xA7C5_AC47_1B47_8424, 0xD1B7_1758_E219_652C,
    0x8312_6E97_8D4F_DF3C, 0xA3D7_0A3D_70A3_D70B, 0xCCCC_CCCC_CCCC_CCCD, 0x8000_0000_0000_0001,
    0xA000_0000_0000_0001, 0xC800_0000_0000_0001, 0xFA00_0000_0000_0001, 0x9C40_0000_0000_0001,
    0xC350_0000_0000_0001, 0xF424_0000_0000_0001, 0x9896_8000_0000_0001, 0xBEBC_2000_0000_0001,
    0xEE6B_2800_0000_0001, 0x9502_F900_0000_0001, 0xBA43_B740_0000_0001, 0xE8D4_A510_0000_0001,
    0x9184_E72A_0000_0001, 0xB5E6_20F4_8000_0001, 0xE35F_A931_A000_0001, 0x8E1B_C9BF_0400_0001,
    0xB1A2_BC2E_C500_0001, 0xDE0B_6B3A_7640_0001, 0x8AC7_2304_89E8_0001, 0xAD78_EBC5_AC62_0001,
    0xD8D7_26B7_177A_8001, 0x8786_7832_6EAC_9001, 0xA968_163F_0A57_B401, 0xD3C2_1BCE_CCED_A101,
    0x8459_5161_4014_84A1, 0xA56F_A5B9_9019_A5C9, 0xCECB_8F27_F420_0F3B, 0x813F_3978_F894_0985,
    0xA18F_07D7_36B9_0BE6, 0xC9F2_C9CD_0467_4EDF, 0xFC6F_7C40_4581_2297, 0x9DC5_ADA8_2B70_B59E,
    0xC537_1912_364C_E306, 0xF684_DF56_C3E0_1BC7, 0x9A13_0B96_3A6C_115D, 0xC097_CE7B_C907_15B4,
    0xF0BD_C21A_BB48_DB21, 0x9676_9950_B50D_88F5, 0xBC14_3FA4_E250_EB32, 0xEB19_4F8E_1AE5_25FE,
    0x92EF_D1B8_D0CF_37BF, 0xB7AB_C627_0503_05AE, 0xE596_B7B0_C643_C71A, 0x8F7E_32CE_7BEA_5C70,
    0xB35D_BF82_1AE4_F38C,
  ]

  /// ⌊log2 10^e⌋ for |e| ≤ 60.
  @inline(__always)
  package static func floorLog2(powerOfTen e: Int) -> Int { (e &* 1_741_647) >> 19 }

  /// ⌊log10 2^q⌋ for q in −149…105.
  @inline(__always)
  package static func floorLog10(powerOfTwo q: Int) -> Int { (q &* 1_262_611) >> 22 }

  /// ⌊log10 (¾ · 2^q)⌋ for q in −149…105.
  @inline(__always)
  package static func floorLog10(threeQuartersOfPowerOfTwo q: Int) -> Int { (q &* 1_262_611 &- 524_031) >> 22 }
}
